"""Where the pixels of a decoded image lie in the tiles of the coded one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inrjax.codec import container, errors
from inrjax.coords import patches


class Axis(NamedTuple):
  """One axis of the output: tiles, and the output pixels inside each.

  Attributes:
    tiles: `[t]` indices of the tiles that are needed.
    positions: `[t, m]` position of the pixels in their tile, in [0, 1]; tiles
      with fewer than m pixels repeat their last.
    counts: `[t]` pixels of each tile.
  """

  tiles: np.ndarray
  positions: np.ndarray
  counts: np.ndarray


def tile_grid(shape: Sequence[int], side: int) -> tuple[int, int]:
  """Rows and columns of tiles that cover an image.

  Args:
    shape: (H, W, C).
    side: P.

  Raises:
    UnsupportedSignalError: if the tiles hold more values than a file may; a
      thin image has many more than its own.
  """
  height, width, channels = shape
  rows, columns = patches.grid_shape(height, width, side)
  num_values = rows * columns * side**2 * channels
  if num_values > container.DEFAULT_MAX_VALUES:
    raise errors.UnsupportedSignalError(
      f"The {rows} x {columns} tiles of an image of {height} x {width} hold "
      f"{num_values} values, more than {container.DEFAULT_MAX_VALUES}: cut it "
      "into several."
    )
  return rows, columns


def output_size(size: int, scale: float) -> int:
  """Length of an axis at another resolution, at least 1."""
  return max(1, round(size * scale))


def sample_axis(
  size: int, side: int, *, scale: float, start: float, stop: float
) -> Axis:
  """The output pixels of the part [start, stop) of an axis.

  Output pixel i covers [i, i + 1) * size / n of the original, n being the
  output's length, and samples its centre: at scale 1 that is the centre of
  original pixel i.

  Args:
    size: length of the axis of the original, in pixels.
    side: P, pixels of the original per tile.
    scale: output pixels per pixel.
    start: first original pixel of the part.
    stop: first one behind it.
  """
  length = output_size(size, scale)
  first = int(np.ceil(start * length / size - 0.5))
  last = int(np.ceil(stop * length / size - 0.5))
  # A part smaller than an output pixel still gives one.
  first = min(max(first, 0), length - 1)
  last = min(max(last, first + 1), length)
  centres = (np.arange(first, last) + 0.5) * size / length
  tile_of = np.minimum(centres // side, (size - 1) // side).astype(np.int64)
  tiles, counts = np.unique(tile_of, return_counts=True)
  starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
  index = starts[:, None] + np.minimum(
    np.arange(counts.max())[None], counts[:, None] - 1
  )
  positions = centres[index] / side - tiles[:, None]
  return Axis(tiles, positions.astype(np.float32), counts)


def assemble(values: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
  """Puts evaluated tiles together.

  Args:
    values: `[t_rows, t_columns, m_rows, m_columns, C]`.
    rows: the rows' axis.
    columns: the columns' axis.

  Returns:
    `[sum of row counts, sum of column counts, C]`.
  """
  keep_rows = np.arange(values.shape[2])[None] < rows.counts[:, None]
  keep_columns = np.arange(values.shape[3])[None] < columns.counts[:, None]
  tall = values.transpose(0, 2, 1, 3, 4)[keep_rows]
  return tall[:, keep_columns]
