"""The full profile of the `.inr` file: any number of signals.

The layout is described in `inrjax.codec.container`.
"""

import zlib
from typing import NamedTuple

from inrjax.codec import bitio, errors, records, signal_spec

MAGIC = b"\x8fINR"

_ID_BYTES = 8
_MAX_HEADER_BYTES = 1 << 16
# Flags of one signal.
_SAME_SPEC = 1
_SAME_HEADER = 2
_HAS_NAME = 4
_HAS_SIDE = 8


def pack(content: records.Stream, model_id: bytes) -> bytes:
  """Writes a stream; see `container.pack`.

  Args:
    content: the stream.
    model_id: the 32 bytes of the model id.

  Returns:
    The file's bytes.

  Raises:
    CodecError: if a header or a name is too long, or a name not printable.
  """
  out = bytearray(MAGIC)
  out.append(records.FORMAT_VERSION)
  out += model_id[:_ID_BYTES]
  out += bitio.varint(len(content.signals))
  spec: signal_spec.SignalSpec | None = None
  header: bytes | None = None
  for record in content.signals:
    name = _name_bytes(record.name)
    flags = _SAME_SPEC if record.spec == spec else 0
    flags |= _SAME_HEADER if record.header == header else 0
    flags |= _HAS_NAME if name else 0
    flags |= _HAS_SIDE if record.side else 0
    out.append(flags)
    if not flags & _SAME_SPEC:
      out += signal_spec.write(record.spec)
    if not flags & _SAME_HEADER:
      if len(record.header) > _MAX_HEADER_BYTES:
        raise errors.CodecError(
          f"a recipe header holds {_MAX_HEADER_BYTES} bytes, got"
          f" {len(record.header)}: put them into the side information"
        )
      out += bitio.varint(len(record.header)) + record.header
    if name:
      out += bitio.varint(len(name)) + name
    if record.side:
      out += bitio.varint(len(record.side))
    out += bitio.varint(len(record.payload))
    spec, header = record.spec, record.header
  out += b"".join(record.side for record in content.signals)
  out += b"".join(record.payload for record in content.signals)
  return bytes(out) + zlib.crc32(out).to_bytes(4, "big")


def parse(data: bytes, max_values: int) -> records.Parsed:
  """Reads and verifies a file.

  Args:
    data: the file's bytes.
    max_values: most values that all signals together may have.

  Returns:
    Its content.

  Raises:
    CorruptBitstreamError: if it is damaged, foreign or hostile.
  """
  head = len(MAGIC)
  if data[:head] != MAGIC[: len(data)] or not data:
    raise errors.CorruptBitstreamError(
      f"not an .inr file: it begins with {data[:head].hex(' ') or 'nothing'}"
      f" instead of {MAGIC.hex(' ')}"
    )
  if len(data) > head and data[head] != records.FORMAT_VERSION:
    records.raise_version(data[head])
  body = data[:-4]
  if len(body) <= head or zlib.crc32(body) != int.from_bytes(data[-4:], "big"):
    raise errors.CorruptBitstreamError(
      "the checksum does not match: the file is truncated or damaged, fetch it"
      " again"
    )
  reader = bitio.Reader(body)
  reader.take(head + 1, "the magic")
  prefix = reader.take(_ID_BYTES, "the model id").hex()
  # Every signal takes two bytes at least.
  count = reader.varint("the number of signals", reader.remaining // 2)
  heads: list[_Head] = []
  budget = max_values
  for _ in range(count):
    heads.append(_parse_head(reader, heads[-1] if heads else None, budget))
    budget -= heads[-1].spec.num_values
  sides = [reader.take(h.side_length, "side information") for h in heads]
  payloads = [reader.take(h.payload_length, "the payload") for h in heads]
  reader.finish("the last payload")
  return records.Parsed(
    profile="full",
    model_prefix=prefix,
    specs=tuple(h.spec for h in heads),
    records=tuple(
      (h.header, side, payload, h.name)
      for h, side, payload in zip(heads, sides, payloads, strict=True)
    ),
  )


class _Head(NamedTuple):
  """All of one signal of the full profile that stands before the data."""

  spec: signal_spec.SignalSpec
  header: bytes
  name: str | None
  side_length: int
  payload_length: int


def _parse_head(
  reader: bitio.Reader, before: _Head | None, max_values: int
) -> _Head:
  flags = reader.byte("the flags of a signal")
  known = _SAME_SPEC | _SAME_HEADER | _HAS_NAME | _HAS_SIDE
  if flags & ~known or (before is None and flags & (_SAME_SPEC | _SAME_HEADER)):
    raise errors.CorruptBitstreamError(
      f"the flags {flags:#04x} of a signal mean nothing here: the file is"
      " damaged"
    )
  if before is not None and flags & _SAME_SPEC:
    spec = before.spec
    signal_spec.check_size(spec, max_values)
  else:
    spec = signal_spec.read(reader, max_values)
  if before is not None and flags & _SAME_HEADER:
    header = before.header
  else:
    length = reader.varint("the header's length", _MAX_HEADER_BYTES)
    header = reader.take(length, "the recipe header")
  name = None
  if flags & _HAS_NAME:
    length = reader.varint("the name's length", records.MAX_NAME_BYTES)
    name = _parse_name(reader.take(length, "the name"))
  side = 0
  if flags & _HAS_SIDE:
    side = reader.varint("the side information's length")
  payload = reader.varint("the payload's length")
  return _Head(spec, header, name, side, payload)


def _name_bytes(name: str | None) -> bytes:
  if name is None:
    return b""
  if not name.isprintable():
    raise errors.CodecError(
      f"a name must be printable, got {name!r}: rename the file"
    )
  spelled = name.encode()
  if not 0 < len(spelled) <= records.MAX_NAME_BYTES:
    raise errors.CodecError(
      f"a name takes 1 to {records.MAX_NAME_BYTES} bytes of UTF-8, got"
      f" {len(spelled)}: shorten it"
    )
  return spelled


def _parse_name(spelled: bytes) -> str:
  try:
    name = spelled.decode()
  except UnicodeDecodeError as error:
    raise errors.CorruptBitstreamError(
      f"the name {spelled!r} is not UTF-8: the file is damaged"
    ) from error
  if not name or not name.isprintable():
    raise errors.CorruptBitstreamError(
      f"the name {name!r} is empty or not printable: the file is damaged or"
      " hostile"
    )
  return name
