"""Corrections that keep a decoded signal within a bound of its original.

What is left of a signal after the network is quantised with a step of almost
twice the bound and range coded, in runs of values that each choose the table
that costs them least.

Networks are evaluated in floating point, and machines differ in its last bits.
A small part of the bound is kept for that: predictions that are off by 4e-6 of
the signal's range still lead to values within the bound.
"""

import math
from typing import NamedTuple

import numpy as np

from inrjax.codec import entropy, errors, frequencies

# Part of the range of values by which predictions may differ.
_TOLERANCE = 4e-6
# Values that share a table, and bits of its number.
_RUN = 256
_TABLE_BITS = 6
_MAX_SYMBOL = 1 << 30
# Values that are coded at a time, a multiple of a run.
_PART = 1 << 18


class Bound(NamedTuple):
  """How corrections are quantised.

  Attributes:
    max_error: the bound, in the unit of the values; 0 keeps integers exactly.
    step: between corrections.
  """

  max_error: float
  step: float


def bound(
  max_error: float, dtype: str, value_range: tuple[float, float]
) -> Bound:
  """The quantiser of a bound; encoder and decoder compute the same.

  Args:
    max_error: largest absolute error allowed.
    dtype: type of the values.
    value_range: lowest and highest value of the signal.

  Returns:
    The bound.

  Raises:
    UnsupportedSignalError: for a bound below what the type, and floating-point
      arithmetic, resolve.
  """
  low, high = value_range
  tolerance = _TOLERANCE * (high - low)
  if np.dtype(dtype).kind == "f":
    largest = np.dtype(dtype).type(max(abs(low), abs(high)))
    tolerance += float(np.spacing(largest))
    room = max_error - tolerance
  else:
    # An integer is the nearest to anything within half of it.
    room = math.floor(max_error) + 0.5 - tolerance
  if not (math.isfinite(max_error) and max_error >= 0 and room > tolerance / 4):
    raise errors.UnsupportedSignalError(
      f"A largest error of {max_error:g} is below what can be kept for {dtype} "
      f"from {low:g} to {high:g}: {1.5 * tolerance:.3g} and more can."
    )
  return Bound(max_error, 2 * room)


def quantise(
  values: np.ndarray, predicted: np.ndarray, limits: Bound
) -> np.ndarray:
  """Symbols of corrections.

  Args:
    values: `[n]` the signal.
    predicted: `[n]` float64, what is decoded without corrections.
    limits: the quantiser.

  Returns:
    `[n]` int64.

  Raises:
    UnsupportedSignalError: if one is too large for the entropy coder.
  """
  symbols = np.rint((values.astype(np.float64) - predicted) / limits.step)
  if np.abs(symbols).max(initial=0) > _MAX_SYMBOL:
    raise errors.UnsupportedSignalError(
      f"A largest error of {limits.max_error:g} takes corrections of more than "
      "2^30 steps; allow a larger one."
    )
  return symbols.astype(np.int64)


def write(
  coder: entropy.Encoder,
  symbols: np.ndarray,
  tables: frequencies.FrequencyTables,
) -> None:
  """Appends `[n]` corrections to a stream.

  Args:
    coder: the stream.
    symbols: `[n]`.
    tables: of symmetric distributions, at most 64.
  """
  for start in range(0, len(symbols), _PART):
    part = symbols[start : start + _PART]
    chosen = _best_tables(part, tables)
    coder.encode_uniform_bits(chosen, _TABLE_BITS)
    coder.encode(part, _index(chosen, len(part)), tables)


def read(
  coder: entropy.Decoder, num: int, tables: frequencies.FrequencyTables
) -> np.ndarray:
  """Reads `[num]` corrections.

  Raises:
    CorruptBitstreamError: if the stream holds no such corrections.
  """
  symbols = np.empty(num, np.int32)
  for start in range(0, num, _PART):
    size = min(_PART, num - start)
    chosen = coder.decode_uniform_bits(-(-size // _RUN), _TABLE_BITS)
    if chosen.max() >= tables.num_tables:
      raise errors.CorruptBitstreamError(
        f"the corrections name table {chosen.max()} of {tables.num_tables}: the"
        " stream is damaged"
      )
    index = _index(chosen, size)
    symbols[start : start + size] = coder.decode(index, tables)
  return symbols


def cost(symbols: np.ndarray, tables: frequencies.FrequencyTables) -> float:
  """Estimated bits of corrections, their tables' numbers included."""
  total = 0.0
  for start in range(0, len(symbols), _PART):
    part = symbols[start : start + _PART]
    chosen = _best_tables(part, tables)
    index = _index(chosen, len(part))
    total += float(frequencies.cost_bits(part, index, tables).sum())
    total += _TABLE_BITS * len(chosen)
  return total


def _index(chosen: np.ndarray, num: int) -> np.ndarray:
  """The table of each of `num` values."""
  return np.repeat(chosen, _RUN)[:num]


def _best_tables(
  symbols: np.ndarray, tables: frequencies.FrequencyTables
) -> np.ndarray:
  """`[runs]` the table that costs each run least."""
  every = range(min(tables.num_tables, 1 << _TABLE_BITS))
  num_runs = -(-len(symbols) // _RUN)
  missing = num_runs * _RUN - len(symbols)
  runs = np.pad(symbols, (0, missing)).reshape(num_runs, _RUN)
  bits = [
    frequencies.cost_bits(runs, np.array(table), tables).sum(axis=1)
    for table in every
  ]
  chosen: np.ndarray = np.argmin(bits, axis=0).astype(np.int64)
  return chosen
