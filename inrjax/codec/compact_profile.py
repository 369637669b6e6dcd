"""The compact profile of the `.inr` file: one tiny signal.

The layout is described in `inrjax.codec.container`.
"""

from inrjax.codec import bitio, errors, records, signal_spec

_MARK = 0b1010_0000
_MARK_MASK = 0b1110_0000
_EXPLICIT = 0b0001_0000
_MAX_HEADER_BYTES = 3


def pack(
  content: records.Stream,
  model_id: bytes,
  default_shape: tuple[int, ...] | None,
) -> bytes:
  """Writes a stream of one signal; see `container.pack`.

  Args:
    content: the stream.
    model_id: the 32 bytes of the model id.
    default_shape: of the model's default signal, left out if it is the
      signal's own.

  Returns:
    The file's bytes.

  Raises:
    ValueError: if the profile cannot hold the content.
  """
  if len(content.signals) != 1:
    raise ValueError(
      f"the compact profile holds one signal, got {len(content.signals)}: use"
      " the full profile"
    )
  (record,) = content.signals
  if record.side or record.name or len(record.header) > _MAX_HEADER_BYTES:
    raise ValueError(
      "the compact profile holds neither side information nor a name, and at"
      f" most {_MAX_HEADER_BYTES} header bytes: use the full profile"
    )
  explicit = default_shape is None or record.spec != signal_spec.image(
    default_shape
  )
  mark = _MARK | records.FORMAT_VERSION << 2 | len(record.header)
  out = bytearray([mark | (_EXPLICIT if explicit else 0), model_id[0]])
  if explicit:
    out += signal_spec.write(record.spec)
  out += record.header + record.payload
  return bytes(out) + _checksum(out, model_id)


def matches(data: bytes) -> bool:
  """Whether the first byte is that of the compact profile."""
  return bool(data) and data[0] & _MARK_MASK == _MARK


def parse(data: bytes, max_values: int) -> records.Parsed:
  """Reads a file whose checksum only `check` can verify.

  Args:
    data: the file's bytes, not empty.
    max_values: most values the signal may have.

  Returns:
    Its content; the specification is None if it is the model's default.

  Raises:
    CorruptBitstreamError: if the bytes cannot be a compact file.
  """
  version = data[0] >> 2 & 3
  if version != records.FORMAT_VERSION:
    records.raise_version(version)
  if len(data) < 5:
    raise errors.CorruptBitstreamError(
      f"a compact .inr file takes 5 bytes at least, got {len(data)}: it is"
      " truncated, fetch it again"
    )
  reader = bitio.Reader(data[:-3])
  mark = reader.byte("the magic")
  prefix = reader.take(1, "the model id").hex()
  spec = None
  if mark & _EXPLICIT:
    spec = signal_spec.read(reader, max_values)
  header = reader.take(mark & _MAX_HEADER_BYTES, "the recipe header")
  payload = reader.take(reader.remaining, "the payload")
  return records.Parsed(
    "compact", prefix, (spec,), ((header, b"", payload, None),)
  )


def check(data: bytes, prefix: str, model_id: str | None) -> None:
  """Verifies the checksum, which covers the model id.

  Args:
    data: the file's bytes, as they went into `parse`.
    prefix: the model prefix that came out.
    model_id: the model's id, 64 hexadecimal digits.

  Raises:
    CorruptBitstreamError: if the checksum does not match.
    WrongModelError: if there is no model or its prefix is another.
  """
  if model_id is None:
    raise errors.WrongModelError(
      f"a compact .inr file can only be read with its model, id {prefix}...:"
      " give the model"
    )
  if not model_id.startswith(prefix):
    records.raise_wrong_model(prefix, model_id)
  if _checksum(data[:-3], records.id_bytes(model_id)) != data[-3:]:
    raise errors.CorruptBitstreamError(
      "the checksum does not match: the file is truncated or damaged, or of a"
      f" model other than {model_id[:16]}"
    )


def crc24(data: bytes | bytearray, start: int = 0xB704CE) -> int:
  """The CRC-24 of OpenPGP (RFC 4880, 6.1): finds any burst of 24 bits.

  Args:
    data: bytes.
    start: the register to start from, such as the CRC of what came before.

  Returns:
    24 bits.
  """
  register = start
  for byte in data:
    register = register << 8 & 0xFFFFFF ^ _CRC24_TABLE[register >> 16 ^ byte]
  return register


def _checksum(body: bytes | bytearray, model_id: bytes) -> bytes:
  # Without the complement, zeros could be appended to any file unnoticed.
  return (crc24(body, crc24(model_id)) ^ 0xFFFFFF).to_bytes(3, "big")


def _crc24_entry(byte: int) -> int:
  register = byte << 16
  for _ in range(8):
    register <<= 1
    if register & 1 << 24:
      register ^= 0x1864CFB
  return register


_CRC24_TABLE = [_crc24_entry(byte) for byte in range(256)]
