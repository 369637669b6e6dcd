"""Fields of several files, on grids of their own, as signals on one grid."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from inrjax.data import fields


class Globe(Protocol):
  """Fields on one grid of the globe, such as `fields.FieldSource`."""

  @property
  def latitudes(self) -> np.ndarray:
    """`[H]` degrees."""

  @property
  def longitudes(self) -> np.ndarray:
    """`[W]` degrees east."""

  def __len__(self) -> int:
    """Number of fields."""

  def __getitem__(self, index: int) -> np.ndarray:
    """The field `[H, W, 1]` at an index in `[0, len)`."""


class _Between(NamedTuple):
  """Linear interpolation along one axis.

  Attributes:
    lower: `[n]` places of the neighbours below.
    upper: `[n]` of those above.
    weight: `[n]` of the upper ones, in [0, 1].
  """

  lower: np.ndarray
  upper: np.ndarray
  weight: np.ndarray


class RegriddedFields:
  """Fields of several sources on one regular grid, between their points.

  Linear in latitude and longitude; longitudes wrap, and beyond the first and
  last latitude of a source its nearest row is repeated. A value next to a
  missing one is missing.

  Attributes:
    latitudes: `[H]` degrees, the middles of H bands from south to north.
    longitudes: `[W]` degrees east from 0.
    unit: of the values, the same in all sources.
  """

  def __init__(
    self,
    sources: Sequence[Globe],
    shape: tuple[int, int],
    *,
    indices: Sequence[range] | None = None,
    unit: str = "",
  ):
    """Prepares the weights.

    Args:
      sources: at least one.
      shape: H and W of the grid, at least 1 and 2.
      indices: which fields of each source are taken; all by default.
      unit: of the values.

    Raises:
      FieldError: for no sources, a source whose longitudes do not go round
        the globe, or an impossible shape.
    """
    height, width = shape
    if height < 1 or width < 2:
      raise fields.FieldError(
        f"A grid of {height} x {width} is none; ask for 1 x 2 at least."
      )
    if not sources:
      raise fields.FieldError("There are no fields to put on one grid.")
    self._sources = list(sources)
    if indices is None:
      indices = [range(len(source)) for source in sources]
    self._places = [
      (number, index) for number, some in enumerate(indices) for index in some
    ]
    self.unit = unit
    self.latitudes = -90 + 180 * (np.arange(height) + 0.5) / height
    self.longitudes = 360 * np.arange(width) / width
    self._weights = [
      (
        _along_latitude(source.latitudes, self.latitudes),
        _along_longitude(source.longitudes, self.longitudes),
      )
      for source in sources
    ]

  def __len__(self) -> int:
    return len(self._places)

  def __getitem__(self, index: int) -> np.ndarray:
    """The field `[H, W, 1]` float32 at an index; NaN where it is missing."""
    if not 0 <= index < len(self):
      raise IndexError(f"Index {index} of {len(self)} fields.")
    number, place = self._places[index]
    rows, columns = self._weights[number]
    field = np.asarray(self._sources[number][place], np.float64)
    field = _between(_between(field, rows, axis=0), columns, axis=1)
    return field.astype(np.float32)


def _between(values: np.ndarray, points: _Between, *, axis: int) -> np.ndarray:
  weight = points.weight.reshape([-1 if i == axis else 1 for i in range(3)])
  lower = values.take(points.lower, axis)
  upper = values.take(points.upper, axis)
  return np.asarray((1 - weight) * lower + weight * upper)


def _along_latitude(known: np.ndarray, wanted: np.ndarray) -> _Between:
  order = np.argsort(known)
  rising = np.asarray(known, np.float64)[order]
  upper = np.searchsorted(rising, wanted).clip(1, max(1, len(rising) - 1))
  lower, upper = upper - 1, upper.clip(max=len(rising) - 1)
  gap = np.maximum(rising[upper] - rising[lower], 1e-9)  # Of one row, 0.
  weight = ((wanted - rising[lower]) / gap).clip(0, 1)
  return _Between(order[lower], order[upper], weight)


def _along_longitude(known: np.ndarray, wanted: np.ndarray) -> _Between:
  turned = np.asarray(known, np.float64) % 360
  order = np.argsort(turned)
  rising = turned[order]
  gaps = np.diff(rising, append=rising[0] + 360)
  if gaps.max() > 4 * np.median(gaps):
    raise fields.FieldError(
      f"Longitudes from {known[0]:g} to {known[-1]:g} do not go round the "
      "globe: a region cannot be put on a grid of all of it."
    )
  upper = np.searchsorted(rising, wanted, side="right")
  lower = (upper - 1) % len(rising)
  weight = (wanted - rising[lower]) % 360 / gaps[lower]
  return _Between(order[lower], order[upper % len(rising)], weight)
