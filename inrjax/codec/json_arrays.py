"""NumPy arrays, and attributes of files, as JSON values.

Axes of equal steps are three numbers; other arrays are deflated, byte by byte
of all their values, and written in base 64.
"""

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from inrjax.codec import errors

MAX_VALUES = 1 << 22
_TYPES = frozenset(
  f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
) | {"float32", "float64"}
# Fewer values are not worth three names.
_MIN_REGULAR = 4


def pack(array: np.ndarray) -> dict[str, Any]:
  """An array as JSON values.

  Args:
    array: integers or floats of 32 or 64 bits.

  Raises:
    UnsupportedSignalError: for another type, or too many values.
  """
  array = np.asarray(array)
  name = array.dtype.name
  if name not in _TYPES or array.size > MAX_VALUES:
    raise errors.UnsupportedSignalError(
      f"An array {name} {list(array.shape)} cannot be kept beside the signal; "
      f"at most {MAX_VALUES} integers or floats can."
    )
  regular = _regular(array)
  if regular is not None:
    return {"type": name, **regular}
  packed = {"type": name, "shape": list(array.shape)}
  if array.size < _MIN_REGULAR and np.isfinite(array).all():
    return {**packed, "values": array.ravel().tolist()}
  # All first bytes, then all second bytes: neighbours are alike.
  little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
  planes = little.reshape(-1, 1).view(np.uint8).T
  deflated = zlib.compress(planes.tobytes(), 9)
  return {**packed, "data": base64.b64encode(deflated).decode()}


def unpack(value: Any) -> np.ndarray:
  """The array of what `pack` gave.

  Raises:
    CorruptBitstreamError: if it is something else, or too large.
  """
  try:
    if value["type"] not in _TYPES:
      raise ValueError(f"type {value['type']!r}")
    dtype = np.dtype(value["type"])
    if "count" in value:
      count = _checked_size((value["count"],))
      return _steps(value["start"], value["step"], count).astype(dtype)
    shape = tuple(value["shape"])
    size = _checked_size(shape)
    if "values" in value:
      return np.array(value["values"], dtype).reshape(shape)
    deflated = base64.b64decode(value["data"], validate=True)
    inflate = zlib.decompressobj()
    num_bytes = size * dtype.itemsize
    data = inflate.decompress(deflated, num_bytes + 1)
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, size)
    little = np.ascontiguousarray(planes.T).view(dtype.newbyteorder("<"))
    return little.reshape(shape).astype(dtype)
  except (
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    binascii.Error,
    zlib.error,
  ) as error:
    raise errors.CorruptBitstreamError(
      f"An array of the metadata cannot be read ({error!r})."
    ) from error


def pack_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
  """Attributes of a file or a variable as JSON values.

  Text, and lists of it, stay as they are; numbers keep their type.

  Raises:
    UnsupportedSignalError: for anything else.
  """
  packed: dict[str, Any] = {}
  for name, value in attributes.items():
    if isinstance(value, bytes):
      value = value.decode(errors="replace")
    array = np.asarray(value)
    if isinstance(value, str):
      packed[str(name)] = str(value)
    elif array.dtype.kind in "UO":
      packed[str(name)] = [str(text) for text in array.ravel()]
    else:
      packed[str(name)] = pack(array)
  return packed


def unpack_attributes(packed: Any) -> dict[str, Any]:
  """What `pack_attributes` packed.

  Raises:
    CorruptBitstreamError: if it is something else.
  """
  if not isinstance(packed, dict):
    raise errors.CorruptBitstreamError("Attributes are no JSON object.")
  attributes: dict[str, Any] = {}
  for name, value in packed.items():
    if isinstance(value, str):
      attributes[name] = value
    elif isinstance(value, list) and all(isinstance(v, str) for v in value):
      attributes[name] = value
    else:
      array = unpack(value)
      attributes[name] = array if array.ndim else array[()]
  return attributes


def _regular(array: np.ndarray) -> dict[str, Any] | None:
  """Start, step and count, if these give the very same numbers."""
  if array.ndim != 1 or len(array) < _MIN_REGULAR:
    return None
  start, last = float(array[0]), float(array[-1])
  if not (math.isfinite(start) and math.isfinite(last)):
    return None
  # The file's own first step is mostly the shorter number.
  for step in (float(array[1]) - start, (last - start) / (len(array) - 1)):
    if not math.isfinite(step):
      continue
    with np.errstate(all="ignore"):
      again = _steps(start, step, len(array)).astype(array.dtype)
    if np.array_equal(again, array):
      return {"start": start, "step": step, "count": len(array)}
  return None


def _steps(start: float, step: float, count: int) -> np.ndarray:
  return float(start) + float(step) * np.arange(count, dtype=np.float64)


def _checked_size(shape: tuple[Any, ...]) -> int:
  if not all(isinstance(n, int) and n >= 0 for n in shape):
    raise ValueError(f"shape {shape}")
  size = math.prod(shape)
  if size > MAX_VALUES or len(shape) > 32:
    raise ValueError(f"shape {shape}")
  return size
