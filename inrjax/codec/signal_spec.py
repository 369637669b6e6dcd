"""What a signal was before it was coded: kind, shape, type and range.

A decoder returns an array of this shape, type and range. In a file a
specification takes `3 + ndim` bytes and more for sides of 128 and up: kind,
type, number of axes, one varint per axis, and two float64 if the range is not
the type's own.
"""

import dataclasses
import math
import struct

from inrjax.codec import bitio, errors

# Positions in these tuples are the format's codes: only ever append.
KINDS = (
  "image",
  "audio",
  "volume",
  "video",
  "field",
  "occupancy",
  "array",
  "distance",
)
DTYPES = (
  "uint8",
  "uint16",
  "float32",
  "float64",
  "int16",
  "int8",
  "int32",
  "uint32",
)
NATURAL_RANGES = {
  "uint8": (0.0, 255.0),
  "uint16": (0.0, 65535.0),
  "float32": (0.0, 1.0),
  "float64": (0.0, 1.0),
  "int16": (-32768.0, 32767.0),
  "int8": (-128.0, 127.0),
  "int32": (-2147483648.0, 2147483647.0),
  "uint32": (0.0, 4294967295.0),
}
MAX_AXES = 8
_OWN_RANGE = 0x80


@dataclasses.dataclass(frozen=True)
class SignalSpec:
  """Kind, shape, type and range of a signal.

  Attributes:
    kind: one of `KINDS`.
    shape: of the array that went in, channels included, such as `[H, W, C]`
      (or `[H, W]` if the array had no channel axis).
    dtype: one of `DTYPES`.
    value_range: lowest and highest value; None for the type's own: all values
      of an integer, 0 to 1 in floating point.
  """

  kind: str
  shape: tuple[int, ...]
  dtype: str = "uint8"
  value_range: tuple[float, float] | None = None

  def __post_init__(self) -> None:
    """Checks the fields; raises UnsupportedSignalError."""
    if self.kind not in KINDS:
      raise errors.UnsupportedSignalError(
        f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}"
      )
    if self.dtype not in DTYPES:
      raise errors.UnsupportedSignalError(
        f"type must be one of {', '.join(DTYPES)}, got {self.dtype!r}: convert"
        " the array"
      )
    if not 1 <= len(self.shape) <= MAX_AXES or min(self.shape) < 1:
      raise errors.UnsupportedSignalError(
        f"a shape has 1 to {MAX_AXES} axes, none empty, got {self.shape}"
      )
    if max(self.shape) > bitio.MAX_VARINT:
      raise errors.UnsupportedSignalError(
        f"the shape {self.shape} is too large"
      )
    if self.value_range == NATURAL_RANGES[self.dtype]:
      # One spelling per meaning, so that equal signals compare equal.
      object.__setattr__(self, "value_range", None)
    low, high = self.interval
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
      raise errors.UnsupportedSignalError(
        f"a range must be finite and not empty, got {low} to {high}"
      )

  @property
  def interval(self) -> tuple[float, float]:
    """The lowest and the highest value."""
    return self.value_range or NATURAL_RANGES[self.dtype]

  @property
  def num_values(self) -> int:
    """The product of the shape."""
    return math.prod(self.shape)


def image(shape: tuple[int, ...]) -> SignalSpec:
  """The specification of an 8-bit image of a shape."""
  return SignalSpec("image", tuple(shape))


def write(spec: SignalSpec) -> bytes:
  """Writes a specification as bytes; `read` is its inverse."""
  code = DTYPES.index(spec.dtype)
  if spec.value_range is not None:
    code |= _OWN_RANGE
  out = bytes([KINDS.index(spec.kind), code, len(spec.shape)])
  out += b"".join(bitio.varint(side) for side in spec.shape)
  if spec.value_range is not None:
    out += struct.pack(">dd", *spec.value_range)
  return out


def read(reader: bitio.Reader, max_values: int) -> SignalSpec:
  """Reads a specification and checks its size.

  Args:
    reader: stands at the specification.
    max_values: most values the signal may have.

  Returns:
    The specification.

  Raises:
    CorruptBitstreamError: if the bytes end, mean nothing, or declare more.
  """
  kind = reader.byte("the kind of signal")
  code = reader.byte("the type of its values")
  num_axes = reader.byte("the number of axes")
  if not 1 <= num_axes <= MAX_AXES:
    raise errors.CorruptBitstreamError(
      f"a signal has 1 to {MAX_AXES} axes, the file says {num_axes}: it is"
      " damaged"
    )
  shape = tuple(reader.varint("a side of the signal") for _ in range(num_axes))
  value_range = None
  if code & _OWN_RANGE:
    value_range = struct.unpack(">dd", reader.take(16, "the range of values"))
  if kind >= len(KINDS) or code & ~_OWN_RANGE >= len(DTYPES):
    raise errors.CorruptBitstreamError(
      f"signals of kind {kind} and type {code:#04x} are unknown: the file is"
      " damaged, or a newer program is needed"
    )
  try:
    spec = SignalSpec(
      KINDS[kind], shape, DTYPES[code & ~_OWN_RANGE], value_range
    )
  except errors.UnsupportedSignalError as error:
    raise errors.CorruptBitstreamError(
      f"the file describes no possible signal ({error}): it is damaged"
    ) from error
  check_size(spec, max_values)
  return spec


def check_size(spec: SignalSpec, max_values: int) -> None:
  """Raises CorruptBitstreamError if a signal has more than `max_values`."""
  if spec.num_values > max_values:
    raise errors.CorruptBitstreamError(
      f"the file declares a signal of {'x'.join(map(str, spec.shape))} ="
      f" {spec.num_values} values, {max_values} are allowed: it is damaged or"
      " hostile; raise max_values if you trust it"
    )
