"""Where the few changes among many parameters are, as runs of zeros.

Coding a flag of 0.005 bits for each parameter would cost two per cent more than
that: the range coder rounds each symbol's interval. A run of zeros is one
symbol of several bits, and with independent flags just as good: run r has the
probability `p0^r p1`, and runs of `cap` zeros and more start with a symbol of
their own, `p0^cap`.
"""

import numpy as np

from inrjax.codec import entropy, errors, frequencies, latent_tables

_LARGEST_CAP = 255


def run_cap(change: float) -> int:
  """The longest run that ends in a change: about its mean, at most 255.

  Args:
    change: probability that a parameter changes, in (0, 1).
  """
  return int(np.clip(np.rint(1.0 / change), 1, _LARGEST_CAP))


def run_tables(changes: list[float]) -> frequencies.FrequencyTables:
  """A table of runs for each probability that a parameter changes."""
  # A column to spare at each end, for escapes that no stream has.
  width = max(map(run_cap, changes), default=1) + 3
  mass = np.zeros((max(len(changes), 1), width))
  for row, change in enumerate(changes):
    left = 1.0
    for length in range(run_cap(change)):
      mass[row, 1 + length] = left * change
      left *= 1.0 - change
    mass[row, 1 + run_cap(change)] = left
  return latent_tables.from_masses(mass, offset=1, precision=22)


def to_runs(changes: np.ndarray, cap: int) -> np.ndarray:
  """Symbols of flags.

  Args:
    changes: `[n]` bool.
    cap: as `run_cap` gives it.

  Returns:
    `[runs]` int32: r for r zeros and a change, `cap` for so many zeros, or for
    all that are left.
  """
  where = np.flatnonzero(changes)
  zeros = np.diff(where, prepend=-1) - 1
  caps = zeros // cap
  stops = np.cumsum(caps + 1)
  rest = len(changes) - 1 - (where[-1] if where.size else -1)
  total = (stops[-1] if where.size else 0) + -(-rest // cap)
  symbols = np.full(total, cap, np.int32)
  symbols[stops - 1] = zeros % cap
  return symbols


def decode_runs(
  decoder: entropy.Decoder,
  count: int,
  table: int,
  tables: frequencies.FrequencyTables,
  cap: int,
) -> np.ndarray:
  """Reads flags.

  Args:
    decoder: stands before the runs.
    count: n, how many flags there are.
    table: which of the tables.
    tables: as `run_tables` gives them.
    cap: that of the table.

  Returns:
    `[n]` bool.

  Raises:
    CorruptBitstreamError: if no encoder can have written this.
  """
  changes = np.zeros(count, bool)
  start = 0
  while start < count:
    # No symbol stands for more than `cap` flags, so all of these exist.
    num_symbols = -(-(count - start) // cap)
    index = np.full(num_symbols, table, np.int32)
    symbols = decoder.decode(index, tables)
    if symbols.min() < 0 or symbols.max() > cap:
      raise errors.CorruptBitstreamError(
        "a run in the model update is longer than any: it is damaged"
      )
    ends = start + np.cumsum(np.minimum(symbols.astype(np.int64) + 1, cap))
    ends_in_change = symbols < cap
    # The last run of `cap - 1` zeros and a change is as long as `cap` zeros.
    where = ends[ends_in_change] - 1
    if where.size and where[-1] >= count:
      raise errors.CorruptBitstreamError(
        "the model update changes a parameter beyond the last: it is damaged"
      )
    changes[where] = True
    start = int(ends[-1])
  return changes
