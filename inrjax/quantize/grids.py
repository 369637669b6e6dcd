"""Uniform grids: the values that a quantised number can have.

A grid has the points `scale k` for integers k from low to high; zero is one of
them, so that what is pruned, padded or switched off stays zero. Symmetric and
asymmetric grids (Krishnamoorthi, 2018) differ in the ends, per-tensor and
per-channel ones in the shape of the scale.

Grids are fitted on the host in float64. The error of a value inside the range
is at most half a bin, `scale / 2`, up to the floating-point precision of the
value itself, which is coarser than the bins above 24 bits.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from inrjax.types import Array

MIN_BITS, MAX_BITS = 2, 32

# Bins are no narrower than this: the smallest normal float32.
_MIN_SCALE = float(np.finfo(np.float32).tiny)


class Grid(NamedTuple):
  """A uniform quantiser; float64 NumPy arrays that broadcast to the values.

  Attributes:
    scale: the width of a bin, positive.
    low: the lowest integer.
    high: the highest integer.
    num_bits: bits per value.
  """

  scale: np.ndarray
  low: np.ndarray
  high: np.ndarray
  num_bits: int


# (lowest value, highest value, bits) -> grid.
Scheme = Callable[[Any, Any, int], Grid]


def symmetric(lowest: Any, highest: Any, num_bits: int) -> Grid:
  """Integers from -(2^(b-1) - 1) to 2^(b-1) - 1, or from 0 to 2^b - 1.

  The latter for ranges without negative values, such as those behind a ReLU
  (signed and unsigned uniform quantisation, eqs. 2.3 to 2.5 of Alizadeh's
  thesis; its signed grid has one more integer below zero).

  Args:
    lowest: finite; `[]`, or one for each channel in a shape that broadcasts.
    highest: at least the lowest, the same shape.
    num_bits: b, in [2, 32].

  Returns:
    The narrowest such grid that holds the range.

  Raises:
    ValueError: for a width outside [2, 32], or a range that is empty or not
      finite.
  """
  lowest, highest = _check_range(lowest, highest, num_bits)
  unsigned = lowest >= 0
  high = np.where(unsigned, 2.0**num_bits - 1, 2.0 ** (num_bits - 1) - 1)
  size = np.maximum(np.abs(lowest), np.abs(highest))
  scale = _positive(size / high)
  return Grid(scale, np.where(unsigned, 0.0, -high), high, num_bits)


def asymmetric(lowest: Any, highest: Any, num_bits: int) -> Grid:
  """2^b integers from the lowest value to the highest; zero is among them.

  A range on one side of zero is widened to it.

  Args:
    lowest: finite; `[]`, or one for each channel in a shape that broadcasts.
    highest: at least the lowest, the same shape.
    num_bits: b, in [2, 32].

  Returns:
    The narrowest such grid that holds the range, to half a bin.

  Raises:
    ValueError: for a width outside [2, 32], or a range that is empty or not
      finite.
  """
  lowest, highest = _check_range(lowest, highest, num_bits)
  lowest, highest = np.minimum(lowest, 0.0), np.maximum(highest, 0.0)
  last = 2.0**num_bits - 1
  scale = _positive((highest - lowest) / last)
  low = np.round(lowest / scale)
  return Grid(scale, low, low + last, num_bits)


def fit(
  values: Any,
  *,
  num_bits: int,
  scheme: Scheme = symmetric,
  axis: int | None = None,
) -> Grid:
  """The grid of a scheme that holds all the values.

  Args:
    values: finite numbers, at least one.
    num_bits: bits per value, in [2, 32].
    scheme: `symmetric` or `asymmetric`.
    axis: the axis of the channels, each of which gets its own scale; None for
      one scale.

  Returns:
    The grid. All-zero values get one that holds zero exactly, and constant
    values one that holds the constant.

  Raises:
    ValueError: for values that are empty or not finite, a width outside
      [2, 32], or an axis the values do not have.
  """
  check_bits(num_bits)
  host = np.asarray(values, np.float64)
  if host.size == 0 or not np.all(np.isfinite(host)):
    raise ValueError(
      "A grid is fitted to finite values and at least one of them, got shape"
      f" {host.shape} with {int(np.sum(~np.isfinite(host)))} that are not."
    )
  if axis is None:
    return scheme(host.min(), host.max(), num_bits)
  if not -host.ndim <= axis < host.ndim:
    raise ValueError(f"There is no axis {axis} in values of {host.shape}.")
  others = tuple(i for i in range(host.ndim) if i != axis % host.ndim)
  return scheme(
    host.min(axis=others, keepdims=True),
    host.max(axis=others, keepdims=True),
    num_bits,
  )


def encode(grid: Grid, values: Any) -> np.ndarray:
  """Symbols that can be stored in `num_bits` bits each.

  Args:
    grid: as fitted.
    values: finite numbers; those outside of the range become its ends.

  Returns:
    int64 in [0, 2^b - 1], of the shape of the values.

  Raises:
    ValueError: for values that are not finite.
  """
  host = np.asarray(values, np.float64)
  if not np.all(np.isfinite(host)):
    raise ValueError("Values that are not finite cannot be quantised.")
  steps = np.clip(np.round(host / grid.scale), grid.low, grid.high)
  return (steps - grid.low).astype(np.int64)


def decode(grid: Grid, symbols: np.ndarray) -> np.ndarray:
  """The values that symbols stand for, in float64."""
  return (np.asarray(symbols, np.float64) + grid.low) * grid.scale


def fake_quantize(grid: Grid, values: Array) -> Array:
  """The nearest points of the grid, as numbers of the values' own type.

  Has a derivative of zero; `straight_through.quantize` has a useful one.

  Args:
    grid: as fitted.
    values: any shape that the grid broadcasts to; may be traced.

  Returns:
    The rounded values.
  """
  scale, low, high = parts(grid, values)
  return jnp.clip(jnp.round(values / scale), low, high) * scale


def parts(grid: Grid, values: Array) -> tuple[Array, Array, Array]:
  """Scale, lowest and highest integer in the type and rank of the values."""
  shape = (1,) * (jnp.ndim(values) - np.ndim(grid.scale)) + np.shape(grid.scale)
  dtype = jnp.result_type(values)

  def like(part: Any) -> Array:
    return jnp.asarray(part, dtype).reshape(shape)

  return like(grid.scale), like(grid.low), like(grid.high)


def check_bits(num_bits: int) -> None:
  """Checks a width.

  Raises:
    ValueError: outside [2, 32], or if it is no integer.
  """
  integer = isinstance(num_bits, int | np.integer)
  if not integer or not MIN_BITS <= num_bits <= MAX_BITS:
    raise ValueError(
      f"num_bits must be an integer in [{MIN_BITS}, {MAX_BITS}], got"
      f" {num_bits}."
    )


def _check_range(
  lowest: Any, highest: Any, num_bits: int
) -> tuple[np.ndarray, np.ndarray]:
  check_bits(num_bits)
  low, high = np.asarray(lowest, np.float64), np.asarray(highest, np.float64)
  if low.shape != high.shape or not np.all(np.isfinite([low, high])):
    raise ValueError(f"A range must be finite, got {lowest} to {highest}.")
  if not np.all(low <= high):
    raise ValueError(f"A range is empty: {lowest} to {highest}.")
  return low, high


def _positive(scale: np.ndarray) -> np.ndarray:
  # Where all values are zero any scale holds them.
  return np.where(scale > 0, np.maximum(scale, _MIN_SCALE), 1.0)
