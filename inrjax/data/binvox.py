"""ShapeNet's voxel grids out of .binvox files.

ShapeNetCore.v2 has one for each model, 128^3, beside its mesh. The format
(Min, 2004) is a few lines of text and runs of equal cells.
"""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from inrjax.data import listing, streams, substitution, voxels

_MAX_SIDE = 1024


class BinvoxFolder(substitution.SubstitutingFiles):
  """Every grid below a folder, in sorted order, scaled down.

  One that cannot be used is found when it is first read: its place is then
  taken by the next one that can, with one `UnreadableVoxelsWarning`.
  """

  ERROR = voxels.VoxelError
  WARNING = voxels.UnreadableVoxelsWarning
  WHAT = "grids"

  def __init__(
    self,
    root: str | os.PathLike[str],
    *,
    side: int = 64,
    threshold: float = voxels.THRESHOLD,
    classes: Sequence[str] | None = None,
    suffix: str = ".solid.binvox",
    num_variants: int = 1,
    seed: int = 0,
    split: str = "train",
  ):
    """Lists a folder.

    Args:
      root: the folder, searched recursively.
      side: of the result, see `voxels.downscale`.
      threshold: as there.
      classes: names of folders right below the root to take (ShapeNet's synset
        numbers); None takes all. MSCN takes the ten largest classes.
      suffix: of the files; ShapeNet has solid grids and ones of surfaces.
      num_variants: signals for each grid, see `voxels.VoxelGrids`; 50 in the
        papers.
      seed: of the variants.
      split: of the variants, "train", "validation" or "test".

    Raises:
      VoxelError: if there is no folder, or no grid in it.
      ValueError: for a value outside its range.
    """
    super().__init__()
    if num_variants < 1:
      raise ValueError(f"num_variants must be at least 1, got {num_variants}.")
    folder = pathlib.Path(root)
    found = listing.find_files(folder, (suffix,), error=voxels.VoxelError)
    if classes is not None:
      found = [p for p in found if p.relative_to(folder).parts[0] in classes]
    if not found:
      raise voxels.VoxelError(
        f"{folder} has no {suffix} files in the folders {classes}."
      )
    self._paths = [path for path in found for _ in range(num_variants)]
    self._side = side
    self._threshold = threshold
    self._num_variants = num_variants
    self._stream = streams.Stream(split, len(self._paths), seed)

  def _at(self, index: int, values: np.ndarray) -> np.ndarray:
    """The variant of a grid that an index asks for."""
    if not index % self._num_variants:
      return values
    rng = self._stream.generator(index)
    return voxels.rescale_axes(rng, values[..., 0])[..., np.newaxis]

  def _read(self, path: pathlib.Path) -> np.ndarray:
    """`[side, side, side, 1]` bool."""
    grid = voxels.check_occupancy(read_binvox(path), str(path))
    smaller = voxels.downscale(grid, self._side, threshold=self._threshold)
    return smaller[..., np.newaxis]


def read_binvox(path: str | os.PathLike[str]) -> np.ndarray:
  """The grid of a .binvox file.

  Args:
    path: the file, of at most 1024 cells on a side.

  Returns:
    `[X, Y, Z]` bool. In the file y varies fastest, then z.

  Raises:
    VoxelError: if the file is broken, or of another format.
  """
  try:
    content = pathlib.Path(path).read_bytes()
  except OSError as error:
    raise voxels.VoxelError(f"Cannot read {path}: {error}.") from error
  header, found, runs = content.partition(b"\ndata\n")
  lines = [line.split() for line in header.splitlines()]
  sides = [line[1:] for line in lines if line[:1] == [b"dim"]]
  if (
    not header.startswith(b"#binvox")
    or not found
    or len(sides) != 1
    or len(sides[0]) != 3
    or not all(word.isdigit() for word in sides[0])
  ):
    raise voxels.VoxelError(f"{path} is no .binvox file.")
  shape = tuple(int(word) for word in sides[0])
  if not 1 <= min(shape) <= max(shape) <= _MAX_SIDE:
    raise voxels.VoxelError(
      f"{path} declares {shape} cells; 1 to {_MAX_SIDE} on a side are read."
    )
  pairs = np.frombuffer(runs[: len(runs) // 2 * 2], np.uint8).reshape(-1, 2)
  counts = pairs[:, 1].astype(np.int64)
  if counts.sum() != np.prod(shape) or len(runs) % 2 or (pairs[:, 0] > 1).any():
    raise voxels.VoxelError(
      f"{path} is damaged: its runs make {counts.sum()} cells, of "
      f"{np.prod(shape)}."
    )
  cells = np.repeat(pairs[:, 0] == 1, counts)
  return cells.reshape(shape[0], shape[2], shape[1]).swapaxes(1, 2)
