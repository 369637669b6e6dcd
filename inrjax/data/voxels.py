"""Occupancy grids: shapes as booleans on a cube.

MSCN and Functa take ten classes of ShapeNet, scale grids of 128^3 down to 64^3
and enlarge the set by changed proportions (MSCN appendix A).
"""

import os
import pathlib
import warnings
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
from scipy import ndimage

from inrjax.data import images, streams

# MSCN appendix A.
THRESHOLD = 0.05


class VoxelError(ValueError):
  """A grid, or a file, that holds no shape."""


class UnreadableVoxelsWarning(UserWarning):
  """A grid among many could not be used and is left out."""


class VoxelSource(Protocol):
  """Anything with a length that gives one occupancy grid per index."""

  def __len__(self) -> int:
    """Number of grids."""

  def __getitem__(self, index: int) -> np.ndarray:
    """The grid `[D, H, W, 1]` bool at an index in `[0, len)`."""


def check_occupancy(grid: np.ndarray, name: str = "The grid") -> np.ndarray:
  """The occupancy of a grid of any numeric type: whatever is not 0.

  Args:
    grid: `[X, Y, Z]`; palette indices, booleans or floats.
    name: for the message.

  Returns:
    `[X, Y, Z]` bool, true somewhere.

  Raises:
    VoxelError: for another number of axes, values that are not finite, or a
      grid in which nothing is occupied.
  """
  grid = np.asarray(grid)
  if grid.ndim != 3 or not grid.size or grid.dtype.kind not in "biuf":
    raise VoxelError(
      f"{name} is {grid.dtype} {grid.shape}; expected numbers [X, Y, Z]."
    )
  if grid.dtype.kind == "f" and not np.isfinite(grid).all():
    raise VoxelError(f"{name} has values that are not finite.")
  occupied: np.ndarray = grid != 0
  if not occupied.any():
    raise VoxelError(
      f"{name} is empty: nothing is occupied in {grid.shape}; leave it out, or "
      "lower the threshold it was made with."
    )
  return occupied


def downscale(
  grid: np.ndarray, side: int = 64, *, threshold: float = THRESHOLD
) -> np.ndarray:
  """A coarser grid of the same shape.

  As in MSCN's appendix A, `scipy.ndimage.zoom` with a threshold; the appendix
  does not say of which order, here it is linear.

  Args:
    grid: `[X, Y, Z]` occupancy, normally 128^3.
    side: of the result, on every axis.
    threshold: what is above it counts as occupied; in [0, 1). A low one keeps
      thin parts.

  Returns:
    `[side, side, side]` bool.

  Raises:
    VoxelError: if nothing is occupied, before or after.
    ValueError: for a side or threshold out of range.
  """
  if side < 1:
    raise ValueError(f"side must be at least 1, got {side}.")
  if not 0 <= threshold < 1:
    raise ValueError(f"threshold must be in [0, 1), got {threshold}.")
  occupied = check_occupancy(grid).astype(np.float32)
  factors = [side / n for n in occupied.shape]
  # By cells, not by corners: a grid of half the side averages pairs.
  smaller = ndimage.zoom(
    occupied, factors, order=1, mode="nearest", grid_mode=True
  )
  return check_occupancy(smaller > threshold, "The smaller grid")


def to_cube(grid: np.ndarray, side: int) -> np.ndarray:
  """A grid in the middle of an empty cube, at the largest scale that fits.

  Scales are 1, or below 1 with the nearest cell taken: small models keep their
  voxels.

  Args:
    grid: `[X, Y, Z]` occupancy.
    side: of the cube.

  Returns:
    `[side, side, side]` bool.

  Raises:
    VoxelError: if nothing is occupied.
    ValueError: for a side below 1.
  """
  if side < 1:
    raise ValueError(f"side must be at least 1, got {side}.")
  occupied = check_occupancy(grid)
  longest = max(occupied.shape)
  if longest > side:
    occupied = _resampled(occupied, (side / longest,) * 3)
  cube = np.zeros((side, side, side), bool)
  corner = [(side - n) // 2 for n in occupied.shape]
  box = tuple(
    slice(c, c + n) for c, n in zip(corner, occupied.shape, strict=True)
  )
  cube[box] = occupied
  return check_occupancy(cube, "The scaled grid")


def rescale_axes(
  rng: np.random.Generator,
  grid: np.ndarray,
  *,
  smallest: float = 0.75,
  largest: float = 1.25,
) -> np.ndarray:
  """A shape with other proportions, about the middle of its cube.

  Each axis gets a scale of its own, uniform in [smallest, largest], lowered
  where the shape would leave the cube.

  Differs from the paper: MSCN refers to Functa for the augmentation, and its
  numbers of examples are 50 times the shapes'; scaling axes by these factors is
  a common choice for ShapeNet, not a number of either paper.

  Args:
    rng: source of randomness.
    grid: `[X, Y, Z]` occupancy.
    smallest: above 0.
    largest: at least `smallest`.

  Returns:
    `[X, Y, Z]` bool, occupied somewhere.

  Raises:
    VoxelError: if nothing is occupied.
    ValueError: for an impossible range of scales.
  """
  if not 0 < smallest <= largest:
    raise ValueError(
      "smallest must be above 0 and at most largest, got "
      f"{smallest} and {largest}."
    )
  occupied = check_occupancy(grid)
  scales = rng.uniform(smallest, largest, 3)
  for axis, n in enumerate(occupied.shape):
    others = tuple(a for a in range(3) if a != axis)
    places = np.flatnonzero(occupied.any(axis=others))
    reach = max(n / 2 - places[0], places[-1] + 1 - n / 2)
    scales[axis] = min(scales[axis], (n / 2) / reach)
  scaled = _about_middle(occupied, scales)
  # A sheet one voxel thick may fall between the cells of a smaller scale.
  return scaled if scaled.any() else occupied


class VoxelGrids:
  """Occupancy grids on one cube, in memory.

  Grids that hold no shape are left out at construction, with one
  `UnreadableVoxelsWarning` each.
  """

  def __init__(
    self,
    grids: Iterable[np.ndarray],
    *,
    side: int,
    names: Iterable[str] | None = None,
    num_variants: int = 1,
    seed: int = 0,
    split: str = "train",
  ):
    """Puts grids into cubes.

    Args:
      grids: `[X, Y, Z]` of any sizes; whatever is not 0 is occupied.
      side: of the cube, see `to_cube`.
      names: one for each grid, for messages.
      num_variants: how many signals each grid makes; 1 gives it as it is, more
        give it and variants of `rescale_axes`, the same ones at every visit.
        The papers have 50.
      seed: of the variants.
      split: "train", "validation" or "test", whose variants differ.

    Raises:
      VoxelError: if no grid holds a shape.
      ValueError: for a value outside its range.
    """
    if num_variants < 1:
      raise ValueError(f"num_variants must be at least 1, got {num_variants}.")
    grids = list(grids)
    given = [f"Grid {i}" for i in range(len(grids))] if names is None else names
    self._grids: list[np.ndarray] = []
    self._names: list[str] = []
    for name, grid in zip(given, grids, strict=True):
      try:
        cube = to_cube(check_occupancy(grid, name), side)
      except VoxelError as error:
        warnings.warn(
          f"{error} Left out.", UnreadableVoxelsWarning, stacklevel=2
        )
        continue
      self._grids.append(cube)
      self._names.append(name)
    if not self._grids:
      raise VoxelError(f"None of {len(grids)} grids holds a shape.")
    self._num_variants = num_variants
    self._stream = streams.Stream(split, len(self), seed)

  @property
  def names(self) -> tuple[str, ...]:
    """The name of each grid that is in use."""
    return tuple(self._names)

  def __len__(self) -> int:
    return len(self._grids) * self._num_variants

  def __getitem__(self, index: int) -> np.ndarray:
    """The grid `[side, side, side, 1]` bool at an index."""
    if not 0 <= index < len(self):
      raise IndexError(f"Index {index} of {len(self)} grids.")
    place, variant = divmod(index, self._num_variants)
    grid = self._grids[place]
    if variant:
      grid = rescale_axes(self._stream.generator(index), grid)
    return grid[..., np.newaxis]


def voxels_from_npz(
  path: str | os.PathLike[str],
  *,
  side: int,
  num_variants: int = 1,
  seed: int = 0,
  split: str = "train",
) -> VoxelGrids:
  """The grids of an .npz archive, one array each, in order of their names.

  Args:
    path: the archive; nothing in it is unpickled.
    side: of the cube.
    num_variants: signals for each grid, see `VoxelGrids`.
    seed: of the variants.
    split: of the variants.

  Returns:
    The source, in memory.

  Raises:
    VoxelError: if the archive cannot be read or holds no shape.
  """
  archive = read_grids(path)
  return VoxelGrids(
    archive.grids,
    side=side,
    names=[f"{path}: {name}" for name in archive.names],
    num_variants=num_variants,
    seed=seed,
    split=split,
  )


class Archive(NamedTuple):
  """The arrays of an archive.

  Attributes:
    names: sorted.
    grids: as many arrays.
  """

  names: tuple[str, ...]
  grids: tuple[np.ndarray, ...]


def read_grids(path: str | os.PathLike[str]) -> Archive:
  """All arrays of an .npz archive, or the one of an .npy file.

  Args:
    path: the file; nothing is unpickled.

  Returns:
    The arrays as they are.

  Raises:
    VoxelError: if the file cannot be read.
  """
  try:
    # NumPy leaves a broken file open if it opens it itself.
    with open(path, "rb") as stream:
      loaded = np.load(stream, allow_pickle=False)
      if isinstance(loaded, np.ndarray):
        return Archive((pathlib.Path(path).stem,), (loaded,))
      names = tuple(sorted(loaded.files))
      return Archive(names, tuple(np.asarray(loaded[name]) for name in names))
  except images.READ_ERRORS as error:
    raise VoxelError(f"Cannot read {path}: {error}.") from error


def _resampled(
  occupied: np.ndarray, factors: tuple[float, float, float]
) -> np.ndarray:
  """The nearest cells of a grid of another size."""
  for axis, factor in enumerate(factors):
    count = max(1, round(occupied.shape[axis] * factor))
    places = (np.arange(count) + 0.5) * occupied.shape[axis] / count
    occupied = occupied.take(places.astype(int), axis)
  return occupied


def _about_middle(occupied: np.ndarray, scales: np.ndarray) -> np.ndarray:
  for axis, scale in enumerate(scales):
    n = occupied.shape[axis]
    places = np.floor((np.arange(n) + 0.5 - n / 2) / scale + n / 2).astype(int)
    inside = (places >= 0) & (places < n)
    taken = occupied.take(places.clip(0, n - 1), axis)
    shape = [1, 1, 1]
    shape[axis] = n
    occupied = taken & inside.reshape(shape)
  return occupied
