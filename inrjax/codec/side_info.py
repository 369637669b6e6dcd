"""What a file says beside its values, as side information of its record.

JSON values and a mask of what is missing, deflated together::

  [varint]     length of the JSON text, then the text
  byte         0: nothing is missing; 1: the same in every signal of the record;
               2: a mask for each
  [bits]       1 where a value is there, most significant first

The deflated bytes are raw (RFC 1951), with a dictionary of common words. No
metadata and no mask take no byte at all.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import bitio, errors, kinds

# Most bytes of metadata and mask together, once inflated.
MAX_BYTES = 1 << 26
MAX_JSON_BYTES = 1 << 22
# What `inrjax info` shows.
_SHOWN = ("variable", "dims", "attributes", "rate", "format", "subtype", "tags")
# Part of the format: the words that most files say.
_WORDS = (
  b'{"attributes":{"_FillValue":"axis":"T","Y","X""bounds":"calendar":"standard'
  b'","Conventions":"CF-1.6""cell_methods":"coordinates":{"time","level",'
  b'"latitude","longitude","lat","lon"{"unit":"dims":["long_name":"start":,'
  b'"step":,"count":"standard_name":"units":"degrees_north","degrees_east",'
  b'"hours since 1900-01-01 00:00:0.0","days since "type":"float64","float32",'
  b'"variable":"t2m","dataset":{"header":"units":"K","2 metre temperature",'
  b'"format":"FLAC","WAV","rate":16000,"subtype":"PCM_16"}'
)


class SideInfo(NamedTuple):
  """Metadata and mask.

  Attributes:
    metadata: JSON values.
    present: `[n, *grid]` bool, or `[1, *grid]` for one mask of all, or None if
      nothing is missing.
  """

  metadata: Mapping[str, Any]
  present: np.ndarray | None = None


def write(info: SideInfo) -> bytes:
  """Side information as bytes.

  Raises:
    UnsupportedSignalError: if the metadata are too long, or no JSON values.
  """
  if not info.metadata and info.present is None:
    return b""
  try:
    text = json.dumps(
      dict(info.metadata),
      separators=(",", ":"),
      sort_keys=True,
      allow_nan=False,
    ).encode()
  except (TypeError, ValueError) as error:
    raise errors.UnsupportedSignalError(
      f"The metadata cannot be stored ({error}); leave them out."
    ) from error
  if len(text) > MAX_JSON_BYTES:
    raise errors.UnsupportedSignalError(
      f"The metadata take {len(text)} bytes, {MAX_JSON_BYTES} are allowed: "
      "leave out what is not needed."
    )
  body = bitio.varint(len(text)) + text
  if info.present is None:
    body += b"\0"
  else:
    body += bytes([1 if len(info.present) == 1 else 2])
    body += np.packbits(info.present).tobytes()
  deflate = zlib.compressobj(9, wbits=-15, zdict=_WORDS)
  return deflate.compress(body) + deflate.flush()


def read(data: bytes, lead: int, grid: tuple[int, ...]) -> SideInfo:
  """The side information of bytes.

  Args:
    data: what `write` gave.
    lead: n, signals in the record.
    grid: shape of each.

  Raises:
    CorruptBitstreamError: if it is not what `write` writes for such a record.
  """
  if not data:
    return SideInfo({})
  reader = bitio.Reader(_inflated(data))
  metadata = _read_metadata(reader)
  code = reader.byte("the form of the mask")
  present = None
  if code:
    count = 1 if code == 1 else lead
    num = count * int(np.prod(grid, dtype=object))
    packed = reader.take(-(-num // 8), "the mask")
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=num)
    present = bits.astype(bool).reshape(count, *grid)
  if code > 2 or reader.remaining:
    raise errors.CorruptBitstreamError(
      "The side information has another form than this program writes."
    )
  return SideInfo(metadata, present)


def shown(metadata: Mapping[str, Any]) -> dict[str, Any]:
  """The metadata that say something to people: short texts and numbers."""
  return {
    name: value
    for name, value in metadata.items()
    if name in _SHOWN and isinstance(value, (str, int, float, list, dict))
  }


def read_metadata(data: bytes) -> dict[str, Any]:
  """The metadata alone; CorruptBitstreamError as `read`."""
  if not data:
    return {}
  return _read_metadata(bitio.Reader(_inflated(data)))


def _read_metadata(reader: bitio.Reader) -> dict[str, Any]:
  size = reader.varint("the length of the metadata")
  if size > MAX_JSON_BYTES:
    raise errors.CorruptBitstreamError(
      f"The metadata declare {size} bytes, {MAX_JSON_BYTES} are allowed."
    )
  return parse_json(reader.take(size, "the metadata"))


def parse_json(text: bytes) -> dict[str, Any]:
  """A JSON object; CorruptBitstreamError if the bytes are none."""
  try:
    value = json.loads(text.decode())
  except (UnicodeDecodeError, ValueError, RecursionError) as error:
    raise errors.CorruptBitstreamError(
      f"The metadata are no JSON ({error}): the file is damaged."
    ) from error
  if not isinstance(value, dict):
    raise errors.CorruptBitstreamError(
      f"The metadata are a JSON {type(value).__name__}, not an object."
    )
  return value


def present_of(values: np.ndarray, grid: kinds.Grid) -> np.ndarray | None:
  """The mask `[n or 1, *grid]` of an array, None if nothing is missing.

  Args:
    values: `[..., D1, ..., Dk, C]`, NaN where a value is missing.
    grid: how its axes are used; a place is missing if any channel of it is.
  """
  if values.dtype.kind != "f":
    return None
  missing = np.isnan(values).reshape(-1, *grid.grid, grid.channels).any(axis=-1)
  if not missing.any():
    return None
  present: np.ndarray = ~missing
  same = (present == present[:1]).all()
  return present[:1] if same else present


def _inflated(data: bytes) -> bytes:
  inflate = zlib.decompressobj(wbits=-15, zdict=_WORDS)
  try:
    body = inflate.decompress(data, MAX_BYTES)
  except zlib.error as error:
    raise errors.CorruptBitstreamError(
      f"The side information cannot be inflated ({error})."
    ) from error
  if not inflate.eof or inflate.unused_data:
    raise errors.CorruptBitstreamError(
      "The side information does not end where it should."
    )
  return body
