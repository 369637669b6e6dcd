"""Shaded views of grids of cells, on the host, without a graphics library.

Parallel rays from one oblique point of view, the first occupied cell on each,
lit from above; surface normals are slopes of the smoothed occupancy.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_ROWS_PER_CALL = 30
_LIGHT = np.array([0.35, -0.55, 0.76])


def shaded(
  occupied: npt.NDArray[np.bool_],
  colours: Array,
  *,
  azimuth: float = -55.0,
  elevation: float = 25.0,
  side: int = 300,
) -> Array:
  """A picture of a grid.

  Args:
    occupied: `[X, Y, Z]`, Z is up.
    colours: `[X, Y, Z, 3]` in [0, 1], of the cells.
    azimuth: of the viewer around Z, in degrees from X.
    elevation: of the viewer above the plane of X and Y, in degrees.
    side: of the picture in pixels.

  Returns:
    `[side, side, 3]` in [0, 1], white where no cell is.
  """
  right, up, towards = _frame(azimuth, elevation)
  sizes = np.array(occupied.shape, np.float64)
  radius = np.linalg.norm(sizes) / 2
  picture = np.ones((side, side, 3))
  if not occupied.any():
    return picture
  # As large as fits: the extent of what is occupied, seen from there.
  places = np.argwhere(occupied) + 0.5 - sizes / 2
  seen = np.stack([places @ right, places @ up])
  middle = (seen.max(1) + seen.min(1)) / 2
  half = np.ptp(seen, axis=1).max() / 2 + 1.0
  steps = (2 * (np.arange(side) + 0.5) / side - 1) * half
  depths = np.arange(radius, -radius, -0.5)
  slopes = _slopes(occupied)
  for start in range(0, side, _ROWS_PER_CALL):
    rows = slice(start, start + _ROWS_PER_CALL)
    origins = (middle[0] + steps)[None, :, None] * right + (
      middle[1] - steps[rows]
    )[:, None, None] * up
    points = origins[..., None, :] + depths[:, None] * towards
    cells = np.floor(points + sizes / 2).astype(np.int32)
    inside = ((cells >= 0) & (cells < occupied.shape)).all(-1)
    cells = np.where(inside[..., None], cells, 0)
    hits = occupied[tuple(np.moveaxis(cells, -1, 0))] & inside
    first = hits.argmax(-1)
    struck = tuple(
      np.moveaxis(
        np.take_along_axis(cells, first[..., None, None], axis=2)[:, :, 0],
        -1,
        0,
      )
    )
    light = 0.45 + 0.55 * np.clip(slopes[struck] @ _LIGHT, 0, 1)
    lit = colours[struck] * light[..., None]
    picture[rows] = np.where(hits.any(-1)[..., None], lit, picture[rows])
  return picture.clip(0, 1)


def _frame(azimuth: float, elevation: float) -> tuple[Array, Array, Array]:
  """Right and up of the picture, and the way to the viewer."""
  a, e = np.deg2rad([azimuth, elevation])
  towards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
  right = np.array([-np.sin(a), np.cos(a), 0.0])
  return right, np.cross(towards, right), towards


def _slopes(occupied: npt.NDArray[np.bool_]) -> Array:
  """`[X, Y, Z, 3]`, unit vectors out of the shape."""
  # Slow to import, and seldom needed.
  from scipy import ndimage

  padded = np.pad(occupied, 2).astype(np.float32)
  smooth = ndimage.gaussian_filter(padded, 1.0)
  slopes = -np.stack(np.gradient(smooth), -1)[2:-2, 2:-2, 2:-2]
  length = np.linalg.norm(slopes, axis=-1, keepdims=True)
  unit: Array = slopes / np.maximum(length, 1e-6)
  return unit
