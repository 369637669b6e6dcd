"""The `.inr` file: coded signals and what it takes to decode them.

Two profiles, told apart by the first byte. The *full* profile holds any number
of signals::

  8f 49 4e 52            magic
  version                1 byte
  model id               first 8 bytes of the model file's SHA-256
  number of signals      varint
  per signal
    flags                1: specification as before, 2: recipe header as before,
                         4: has a name, 8: has side information
    [specification]      kind, type, number of axes, varint sides, [range]
    [recipe header]      varint length, bytes
    [name]               varint length, UTF-8
    [side length]        varint
    payload length       varint
  side information       of every signal, one after the other
  payload                of every signal, one after the other
  CRC-32                 4 bytes, most significant first, of all before it

A signal that repeats the specification or the recipe header of the one before
says so in its flags, so a folder of like images pays for them once.

The *compact* profile holds one tiny signal at five bytes of overhead::

  101x vvhh              x: explicit specification, v: version, h: header bytes
  model id               first byte of the model file's SHA-256
  [specification]        unless it is the model's default
  recipe header          h bytes
  payload                to the end
  CRC-24                 3 bytes, complemented, of model id and all before it

Every length is compared with the bytes at hand, and every shape with a limit,
before anything of that size is allocated.
"""

import re
import unicodedata
from typing import NamedTuple

from inrjax.codec import (
  compact_profile,
  errors,
  full_profile,
  records,
  signal_spec,
)

FORMAT_VERSION = records.FORMAT_VERSION
# 2^28 values are a gigabyte of float32.
DEFAULT_MAX_VALUES = 1 << 28

SignalSpec = signal_spec.SignalSpec
SignalRecord = records.SignalRecord
Stream = records.Stream


class Sizes(NamedTuple):
  """Bytes of a file by purpose; `header` is all that is not the other two."""

  total: int
  header: int
  side: int
  payload: int


class StreamInfo(NamedTuple):
  """What a file tells without its model.

  Attributes:
    profile: `"full"` or `"compact"`.
    version: of the format.
    model_prefix: leading hexadecimal digits of the model id.
    specs: of each signal; None where it is the model's default.
    names: of each signal, None where there is none.
    sizes: bytes by purpose.
    verified: whether the checksum could be, and was, checked; that of the
      compact profile needs the model id.
  """

  profile: str
  version: int
  model_prefix: str
  specs: tuple[SignalSpec | None, ...]
  names: tuple[str | None, ...]
  sizes: Sizes
  verified: bool


def pack(
  content: Stream, *, default_shape: tuple[int, ...] | None = None
) -> bytes:
  """Writes a stream as bytes.

  Args:
    content: the stream; its model id must be complete.
    default_shape: shape of the model's default signal, a uint8 image; the
      compact profile leaves it out.

  Returns:
    The file's bytes.

  Raises:
    ValueError: if the profile cannot hold the content.
  """
  model_id = records.id_bytes(content.model_id)
  if content.profile == "compact":
    return compact_profile.pack(content, model_id, default_shape)
  if content.profile == "full":
    return full_profile.pack(content, model_id)
  raise ValueError(
    f'profile must be "full" or "compact", got {content.profile!r}'
  )


def unpack(
  data: bytes,
  *,
  model_id: str | None = None,
  default_shape: tuple[int, ...] | None = None,
  max_values: int = DEFAULT_MAX_VALUES,
) -> Stream:
  """Reads a file and checks it.

  Args:
    data: the file's bytes.
    model_id: the model's id, 64 hexadecimal digits, to compare with; a compact
      file cannot be checked, hence not be read, without.
    default_shape: shape of the model's default signal, as in `pack`.
    max_values: most values (product of a shape, added over the signals) that
      the file may declare.

  Returns:
    The stream.

  Raises:
    CorruptBitstreamError: if the bytes are truncated, damaged, of another
      format or version, or declare more than `max_values`.
    WrongModelError: if the file belongs to another model.
  """
  if compact_profile.matches(data):
    parsed = compact_profile.parse(data, max_values)
    compact_profile.check(data, parsed.model_prefix, model_id)
  else:
    parsed = full_profile.parse(data, max_values)
    if model_id is not None and not model_id.startswith(parsed.model_prefix):
      records.raise_wrong_model(parsed.model_prefix, model_id)
  default = None
  if default_shape is not None:
    default = signal_spec.image(default_shape)
  signals = []
  for spec, (header, side, payload, name) in zip(
    parsed.specs, parsed.records, strict=True
  ):
    spec = spec or default
    if spec is None:
      raise errors.CorruptBitstreamError(
        "the file leaves the signal's shape to the model, but the model has no"
        " default shape: the file is damaged, or its model is another"
      )
    signals.append(SignalRecord(spec, header, payload, side, name))
  return Stream(
    model_id=parsed.model_prefix if model_id is None else model_id,
    signals=tuple(signals),
    profile=parsed.profile,
  )


def peek(data: bytes, *, max_values: int = DEFAULT_MAX_VALUES) -> StreamInfo:
  """Reads what a file tells without its model.

  Args:
    data: the file's bytes.
    max_values: as for `unpack`.

  Returns:
    The description.

  Raises:
    CorruptBitstreamError: as `unpack`.
  """
  compact = compact_profile.matches(data)
  parsed = (compact_profile.parse if compact else full_profile.parse)(
    data, max_values
  )
  side = sum(len(record[1]) for record in parsed.records)
  payload = sum(len(record[2]) for record in parsed.records)
  return StreamInfo(
    profile=parsed.profile,
    version=FORMAT_VERSION,
    model_prefix=parsed.model_prefix,
    specs=parsed.specs,
    names=tuple(record[3] for record in parsed.records),
    sizes=Sizes(len(data), len(data) - side - payload, side, payload),
    verified=not compact,
  )


def safe_name(name: str | None, fallback: str) -> str:
  """A stored name made fit for the last part of a path.

  Args:
    name: a name from a file, or None.
    fallback: what to use if nothing is left of it.

  Returns:
    The name without folders, without anything but letters, digits, spaces and
    `._-+()`, without a dot in front, at most 255 bytes of UTF-8: also what a
    file may store.
  """
  last = re.split(r"[/\\]", unicodedata.normalize("NFC", name or ""))[-1]
  cleaned = re.sub(r"[^\w .+()-]", "_", last).strip(" .")
  shortened = cleaned.encode()[: records.MAX_NAME_BYTES].decode(errors="ignore")
  return shortened or fallback
