"""What a source holds: to compare a downloaded copy with what was published."""

import collections
import dataclasses
import math
import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np


class CountError(ValueError):
  """A source that holds another number of signals than expected."""


class Source(Protocol):
  """Anything with a length that gives one array per index."""

  def __len__(self) -> int:
    """Number of signals."""

  def __getitem__(self, index: int) -> Any:
    """The signal at an index in `[0, len)`, an array."""


@dataclasses.dataclass(frozen=True)
class Inventory:
  """Counts over the signals of a source.

  Attributes:
    count: how many signals the source has.
    read: how many of them were read.
    shapes: how many have which shape, the most frequent first.
    dtypes: their types, sorted.
    low: the smallest value; NaN, where something is missing, is passed over.
    high: the largest.
    missing: share of values that are NaN.
    unreadable: names of files that were left out.
    notes: what was warned of on the way, each once.
  """

  count: int
  read: int
  shapes: Mapping[tuple[int, ...], int]
  dtypes: tuple[str, ...]
  low: float
  high: float
  missing: float
  unreadable: tuple[str, ...]
  notes: tuple[str, ...]

  def __str__(self) -> str:
    lines = [
      f"{self.count} signals, {self.read} of them read; "
      f"{', '.join(self.dtypes)} in [{self.low:g}, {self.high:g}]"
    ]
    if self.missing:
      lines.append(f"{self.missing:.3%} of the values are missing")
    lines += [
      f"  {count} x ({', '.join(map(str, shape))})"
      for shape, count in self.shapes.items()
    ]
    lines += [f"  left out: {name}" for name in self.unreadable]
    lines += [f"  note: {note}" for note in self.notes]
    return "\n".join(lines)


def take_inventory(
  source: Source, *, count: int | None = None, every: int = 1
) -> Inventory:
  """Reads signals and counts what they are.

  Args:
    source: any of this package.
    count: how many signals there should be; None does not check.
    every: reads every so many-th signal only; 1 reads all.

  Returns:
    The inventory; its text is for people.

  Raises:
    CountError: for another number of signals.
    ValueError: if `every` is below 1, or the source is empty.
  """
  if every < 1:
    raise ValueError(f"every must be at least 1, got {every}.")
  if not len(source):
    raise ValueError("The source is empty.")
  if count is not None and len(source) != count:
    raise CountError(
      f"The source has {len(source)} signals, {count} were expected; the copy "
      "is incomplete, or of another version or split."
    )
  shapes: collections.Counter[tuple[int, ...]] = collections.Counter()
  dtypes = set()
  low, high, missing, total = math.inf, -math.inf, 0, 0
  with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for index in range(0, len(source), every):
      array = np.asarray(source[index])
      shapes[array.shape] += 1
      dtypes.add(array.dtype.name)
      total += array.size
      if array.dtype.kind == "f":
        there = array[~np.isnan(array)]
        missing += array.size - there.size
        array = there
      if array.size:
        low = min(low, float(array.min()))
        high = max(high, float(array.max()))
  return Inventory(
    count=len(source),
    read=sum(shapes.values()),
    shapes=dict(shapes.most_common()),
    dtypes=tuple(sorted(dtypes)),
    low=low,
    high=high,
    missing=missing / max(1, total),
    unreadable=tuple(map(str, getattr(source, "unreadable", ()))),
    notes=tuple(dict.fromkeys(str(note.message) for note in caught)),
  )
