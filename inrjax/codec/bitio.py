"""Reading and writing the small fields of a header.

Unsigned integers are LEB128 varints: seven bits per byte, the least
significant first, the top bit set on all but the last. A value has exactly one
spelling: the reader refuses padded ones, so equal headers are equal bytes.
"""

from inrjax.codec import errors

# Nine groups of seven bits: every varint fits a signed 64-bit integer.
MAX_VARINT_BYTES = 9
MAX_VARINT = (1 << 7 * MAX_VARINT_BYTES) - 1


def varint(value: int) -> bytes:
  """Spells an unsigned integer as a LEB128 varint of one to nine bytes.

  Args:
    value: an integer in `[0, 2^63 - 1]`.

  Returns:
    Its bytes; one for a value below 128.

  Raises:
    ValueError: if the value is out of range.
  """
  if not 0 <= value <= MAX_VARINT:
    raise ValueError(
      f"a varint holds 0 to {MAX_VARINT}, got {value}: split the value"
    )
  groups = bytearray()
  while value > 0x7F:
    groups.append(value & 0x7F | 0x80)
    value >>= 7
  groups.append(value)
  return bytes(groups)


class Reader:
  """A cursor over bytes that raises instead of running off their end.

  Attributes:
    position: bytes read so far.
  """

  def __init__(self, data: bytes) -> None:
    """Starts at the first byte of `data`."""
    self._data = data
    self.position = 0

  @property
  def remaining(self) -> int:
    """Bytes not read yet."""
    return len(self._data) - self.position

  def take(self, count: int, what: str) -> bytes:
    """Reads exactly `count` bytes.

    Args:
      count: how many; compared with what is there before any is copied.
      what: what the bytes are, for the message.

    Returns:
      The bytes.

    Raises:
      CorruptBitstreamError: if fewer are left.
    """
    if count > self.remaining:
      raise errors.CorruptBitstreamError(
        f"{what} needs {count} bytes at byte {self.position}, but only"
        f" {self.remaining} are left: the file is truncated or damaged,"
        " fetch it again"
      )
    start, self.position = self.position, self.position + count
    return self._data[start : self.position]

  def byte(self, what: str) -> int:
    """Reads one byte as an integer in `[0, 255]`; raises like `take`."""
    return self.take(1, what)[0]

  def varint(self, what: str, limit: int = MAX_VARINT) -> int:
    """Reads a varint and checks it against a limit.

    Args:
      what: what the number is, for the message.
      limit: the largest value that makes sense here.

    Returns:
      The value, in `[0, limit]`.

    Raises:
      CorruptBitstreamError: if the bytes end, the value exceeds the limit, or
        it is spelled with more bytes than it needs.
    """
    value = 0
    for group in range(MAX_VARINT_BYTES):
      byte = self.byte(what)
      value |= (byte & 0x7F) << 7 * group
      if byte < 0x80:
        if byte == 0 and group > 0:
          break
        if value > limit:
          raise errors.CorruptBitstreamError(
            f"{what} is {value}, more than the {limit} allowed here: the file"
            " is damaged or hostile"
          )
        return value
    raise errors.CorruptBitstreamError(
      f"{what} is not a varint in its shortest spelling (byte"
      f" {self.position}): the file is damaged, fetch it again"
    )

  def finish(self, what: str) -> None:
    """Checks that nothing is left.

    Raises:
      CorruptBitstreamError: if bytes remain.
    """
    if self.remaining:
      raise errors.CorruptBitstreamError(
        f"{self.remaining} bytes follow the end of {what}: the file is damaged"
        " or something was appended to it"
      )
