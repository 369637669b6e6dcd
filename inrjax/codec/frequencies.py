"""Families of distributions over the integers, as integer frequencies.

Nothing that decoding depends on is computed in floating point: tables are
built once, stored with the model as the integers they are, and chosen by an
integer index.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from constriction import stream

from inrjax.codec import errors

# The range coder's own resolution: finer tables would be rounded by it.
MAX_PRECISION = 24
DEFAULT_PRECISION = 20
# Resolution at which a density becomes counts.
_DENSITY_BITS = 36
# A distribution in the range coder's form; constriction has no base class.
CoderModel = Any


@dataclasses.dataclass(frozen=True, eq=False)
class FrequencyTables:
  """A family of `T` distributions over the integers, as integer frequencies.

  Column `a` of a table stands for the symbol `a - offset`. The first and the
  last column are escapes: they stand for their own symbol and all symbols
  beyond it, and are followed by the excess in an Exp-Golomb code. A caller
  whose symbols never leave a range gives the range one spare column at each
  end and pays nothing for escapes.

  Attributes:
    freq: `[T, A]` uint32 frequencies, each at least 1, each row adding up to
      `2^precision`.
    offset: the column of symbol 0.
    precision: bits of a row's sum, at most 24.
  """

  freq: np.ndarray
  offset: int
  precision: int

  def __post_init__(self) -> None:
    """Checks the tables; raises CodecError if they cannot drive a coder."""
    freq = self.freq
    if freq.dtype != np.uint32 or freq.ndim != 2:
      raise errors.CodecError(
        "frequency tables must be uint32 [T, A], got"
        f" {freq.dtype} {list(freq.shape)}: build them with from_counts"
      )
    if not 1 <= self.precision <= MAX_PRECISION:
      raise errors.CodecError(
        f"precision must lie in [1, {MAX_PRECISION}] bits, got {self.precision}"
      )
    if freq.shape[0] < 1 or freq.shape[1] < 2:
      raise errors.CodecError(
        f"need at least one table of two symbols, got {list(freq.shape)}"
      )
    sums = freq.sum(axis=1, dtype=np.uint64)
    if freq.min() < 1 or np.any(sums != 1 << self.precision):
      raise errors.CodecError(
        "every frequency must be at least 1 and every table must add up to"
        f" 2^{self.precision}: build tables with from_counts"
      )
    if abs(self.offset) > 2**30 or freq.shape[1] > 2**30:
      raise errors.CodecError(
        f"offset {self.offset} puts symbols outside int32: keep it within 2^30"
      )

  @property
  def num_tables(self) -> int:
    """How many tables there are, T."""
    return self.freq.shape[0]

  @property
  def first(self) -> int:
    """The smallest symbol with a column of its own."""
    return -self.offset

  @property
  def last(self) -> int:
    """The largest symbol with a column of its own."""
    return self.freq.shape[1] - 1 - self.offset

  @functools.cached_property
  def bits(self) -> np.ndarray:
    """`[T, A]` float64 cost of each column in bits, escapes' excess aside."""
    return self.precision - np.log2(self.freq.astype(np.float64))

  def coder(self, table: int) -> CoderModel:
    """The range coder's own form of one table, built at first use."""
    if table not in self._coders:
      # Integers up to 2^24 are exact floats, and so is their sum, hence the
      # fixed-point table that constriction derives is the same everywhere.
      self._coders[table] = stream.model.Categorical(
        self.freq[table].astype(np.float64), lazy=False, perfect=False
      )
    return self._coders[table]

  @functools.cached_property
  def _coders(self) -> dict[int, CoderModel]:
    return {}


def from_counts(
  counts: np.ndarray, *, offset: int, precision: int = DEFAULT_PRECISION
) -> FrequencyTables:
  """Builds tables proportional to counts, by integer arithmetic alone.

  Every column gets 1, and the rest of the `2^precision` is shared out in
  proportion to the counts by largest remainders (ties go to the lower
  column). A row without counts becomes uniform.

  Args:
    counts: `[T, A]` non-negative integers.
    offset: the column of symbol 0.
    precision: bits of a row's sum.

  Returns:
    The tables.

  Raises:
    CodecError: if counts are negative, not integers, or too many for the
      precision.
  """
  if counts.ndim != 2 or not np.issubdtype(counts.dtype, np.integer):
    raise errors.CodecError(
      f"counts must be integers [T, A], got {counts.dtype} {list(counts.shape)}"
    )
  counts = counts.astype(np.int64)
  if counts.size and counts.min() < 0:
    raise errors.CodecError(f"counts must not be negative, got {counts.min()}")
  num_columns = counts.shape[1]
  budget = (1 << precision) - num_columns
  if budget < 0:
    raise errors.CodecError(
      f"{num_columns} columns do not fit 2^{precision} frequencies: raise the"
      " precision or merge columns into the escapes"
    )
  # Keeps counts * budget and the sum of a row within 62 bits.
  largest = int(counts.max(initial=0))
  spare = 62 - max(precision, num_columns.bit_length())
  counts = counts >> max(0, largest.bit_length() - spare)
  counts[counts.sum(axis=1) == 0] = 1
  total = counts.sum(axis=1, keepdims=True)
  share, remainder = np.divmod(counts * budget, total)
  missing = budget - share.sum(axis=1, keepdims=True)
  rank = np.argsort(np.argsort(-remainder, axis=1, kind="stable"), axis=1)
  freq = 1 + share + (rank < missing)
  return FrequencyTables(freq.astype(np.uint32), offset, precision)


def laplace_tables(
  scales: np.ndarray,
  *,
  radius: int,
  rounding: float = 0.5,
  precision: int = DEFAULT_PRECISION,
) -> FrequencyTables:
  """Tables of quantised zero-centred Laplace variables, one per scale.

  The quantiser is `sign(x) floor(|x| + rounding)`: plain rounding at 0.5, a
  dead zone below. Build tables once and store them: the exponential is the
  platform's.

  Args:
    scales: `[T]` scales b of the density `exp(-|x| / b) / 2b`, in steps.
    radius: symbols from `-radius` to `radius` get a column each; the outermost
      hold the tails.
    rounding: the quantiser's rounding offset, in `(0, 0.5]` steps.
    precision: bits of a row's sum.

  Returns:
    Tables of `2 radius + 1` columns.

  Raises:
    CodecError: if an argument is out of range.
  """
  return _symmetric_tables(
    lambda x: 0.5 * np.exp(-x), scales, radius, rounding, precision
  )


def logistic_tables(
  scales: np.ndarray,
  *,
  radius: int,
  rounding: float = 0.5,
  precision: int = DEFAULT_PRECISION,
) -> FrequencyTables:
  """Like `laplace_tables`, of logistic variables `1 / (1 + exp(-x / s))`."""
  return _symmetric_tables(
    lambda x: np.exp(-x) / (1.0 + np.exp(-x)),
    scales,
    radius,
    rounding,
    precision,
  )


def _symmetric_tables(
  survival_fn: Callable[[np.ndarray], np.ndarray],
  scales: np.ndarray,
  radius: int,
  rounding: float,
  precision: int,
) -> FrequencyTables:
  """Tables of a symmetric density, from `P(X > x)` at non-negative x."""
  scales = np.asarray(scales, np.float64)
  if scales.ndim != 1 or not np.all(np.isfinite(scales) & (scales > 0)):
    raise errors.CodecError(
      f"scales must be [T], positive and finite, got {scales}"
    )
  if radius < 1 or not 0.0 < rounding <= 0.5:
    raise errors.CodecError(
      "need a radius of at least 1 and a rounding offset in (0, 0.5], got"
      f" {radius} and {rounding}"
    )
  edges = np.arange(1, radius + 1) - rounding  # lower edge of symbols 1, 2, ...
  tail = survival_fn(edges[None, :] / scales[:, None])
  zero = 1.0 - 2.0 * tail[:, :1]
  positive = np.append(tail[:, :-1] - tail[:, 1:], tail[:, -1:], axis=1)
  mass = np.concatenate([positive[:, ::-1], zero, positive], axis=1)
  counts = np.rint(mass * 2.0**_DENSITY_BITS).astype(np.int64)
  return from_counts(counts, offset=radius, precision=precision)


def cost_bits(
  symbols: np.ndarray, table_index: np.ndarray, tables: FrequencyTables
) -> np.ndarray:
  """The ideal cost of symbols: an estimate, never reported as a file's size.

  Args:
    symbols: `[...]` integers.
    table_index: integers that broadcast against the symbols.
    tables: the frequency tables.

  Returns:
    `[...]` float64 bits: the negative log-probability, plus the Exp-Golomb
    bits of an escape.
  """
  symbols = np.asarray(symbols, np.int64)
  clipped = np.clip(symbols, tables.first, tables.last)
  bits = tables.bits[np.asarray(table_index), clipped + tables.offset]
  excess = np.abs(symbols - clipped)
  escaped = (clipped == tables.first) | (clipped == tables.last)
  return bits + np.where(escaped, 2 * golomb_order(excess) + 1, 0)


def golomb_order(excess: np.ndarray) -> np.ndarray:
  """`floor(log2(excess + 1))` exactly: below 2^53 a float holds the integer."""
  return np.frexp((excess + 1).astype(np.float64))[1].astype(np.int64) - 1
