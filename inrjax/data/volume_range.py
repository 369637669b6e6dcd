"""Volumes scaled to [0, 1], with the brightest few values clipped.

MRI has outliers, which would leave the rest of the range to noise (COIN++,
thesis C.1.2).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from inrjax.data import volumes as volumes_lib

# COIN++ (thesis C.1.2): the share of values below the top of the range.
PERCENTILE = 99.99
_BINS = 2**16


class ScaledVolumes:
  """Volumes of a source, scaled to [0, 1] and clipped."""

  def __init__(
    self, source: volumes_lib.VolumeSource, *, low: float, high: float
  ):
    """Wraps a source.

    Args:
      source: volumes of any real type.
      low: the value that becomes 0, see `value_range`.
      high: the value that becomes 1.

    Raises:
      ValueError: for an empty range.
    """
    _check_range(low, high)
    self._source = source
    self._low = low
    self._high = high

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> np.ndarray:
    """The volume `[D, H, W, 1]` float32 in [0, 1] at an index."""
    return to_unit(self._source[index], low=self._low, high=self._high)


def value_range(
  volumes: Sequence[np.ndarray] | volumes_lib.VolumeSource,
  *,
  percentile: float = PERCENTILE,
) -> tuple[float, float]:
  """The range of volumes, but for the brightest few values.

  As COIN++ does for fastMRI (thesis C.1.2): the smallest value, and the one
  that the given share lies at or below, from one histogram of all volumes.

  Args:
    volumes: read twice, so that they need not be in memory together.
    percentile: in (0, 100]; 100 gives the largest value.

  Returns:
    The low and the high end; high is exact to 1 / 65536 of the whole range,
    and never below the exact one.

  Raises:
    VolumeError: if the range is empty: all values are alike.
    ValueError: for no volumes, or another percentile.
  """
  if not 0 < percentile <= 100:
    raise ValueError(f"percentile must be in (0, 100], got {percentile}.")
  if not len(volumes):
    raise ValueError("value_range needs at least one volume, got none.")
  ends = [(float(v.min()), float(v.max())) for v in _each(volumes)]
  low, top = min(a for a, _ in ends), max(b for _, b in ends)
  if not low < top:
    raise volumes_lib.VolumeError(
      f"All {len(volumes)} volumes are {low:g} everywhere."
    )
  counts = np.zeros(_BINS, np.int64)
  for volume in _each(volumes):
    counts += np.histogram(volume, bins=_BINS, range=(low, top))[0]
  below = np.cumsum(counts) / counts.sum()
  last = int(np.searchsorted(below, percentile / 100 - 1e-12))
  high = low + (top - low) * (min(last, _BINS - 1) + 1) / _BINS
  return low, min(high, top)


def to_unit(values: np.ndarray, *, low: float, high: float) -> np.ndarray:
  """Scales low to 0 and high to 1, and clips what lies outside.

  Args:
    values: of any shape and real type.
    low: see `value_range`.
    high: above `low`.

  Returns:
    float32 of the same shape.
  """
  _check_range(low, high)
  scaled = (values.astype(np.float64) - low) / (high - low)
  return np.clip(scaled, 0, 1).astype(np.float32)


def from_unit(values: np.ndarray, *, low: float, high: float) -> np.ndarray:
  """The inverse of `to_unit` for values in [0, 1].

  Args:
    values: of any shape; what lies outside [0, 1] is clipped.
    low: the value of 0.
    high: the value of 1.

  Returns:
    float32 of the same shape.
  """
  _check_range(low, high)
  unit = np.clip(values.astype(np.float64), 0, 1)
  return (low + (high - low) * unit).astype(np.float32)


def _each(volumes: Any) -> Iterator[np.ndarray]:
  for index in range(len(volumes)):
    yield volumes[index]


def _check_range(low: float, high: float) -> None:
  if not low < high:
    raise ValueError(f"low must be below high, got {low} and {high}.")
