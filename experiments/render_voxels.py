"""Folders of scenes in SRN's format, rendered from coloured voxel models.

  python -m experiments.render_voxels --voxels=DIR/train.npz --out=SCENES
      --split=train [--num_views=20] [--size=64] [--oversample=2] [--seed=0]

They stand in for SRN's cars (Sitzmann et al., 2019) where a laptop is to be
enough: cameras of their focal length at their distance, 1.3, look at models of
diagonal 1 on white. Unlike theirs, cameras are above the ground and faces have
one of six brightnesses; nothing casts a shadow.

SCENES/SPLIT/NAME has `rgb/000000.png`, `pose/000000.txt` (camera to world, x
right, y down) and `intrinsics.txt`, as `data.read_srn` takes them.
"""

import argparse
import os
import pathlib
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inrjax import data
from inrjax.coords import rays as rays_lib
from inrjax.evaluate import files

# Of SRN's cars: distance of the cameras, and focal length of 128 x 128 pixels.
DISTANCE = 1.3
_FOCAL, _FOCAL_SIZE = 131.25, 128
_WHITE = 255
# Brightness of faces towards -x, +x, -y, +y, -z, +z.
_SHADES = np.array([[0.70, 0.86], [0.64, 0.78], [0.5, 1.0]])
# Directions this close to a plane of cells count as parallel to it.
_PARALLEL = 1e-12


class Hits(NamedTuple):
  """What rays meet first in a grid of cells.

  Attributes:
    values: `[R]` uint8, the cells' values; 0 where a ray meets nothing.
    axes: `[R]` 0 to 2, the axis to which the face that is met is normal.
    sides: `[R]` 0 for a face towards lower coordinates, 1 for a higher one.
  """

  values: np.ndarray
  axes: np.ndarray
  sides: np.ndarray


def default_palette() -> np.ndarray:
  """MagicaVoxel's colours by index, `[256, 3]` uint8; index 0 is unused.

  Six levels of red, green and blue each, all but black, then ten more of red,
  of green, of blue and of grey.
  """
  levels = np.arange(255, -1, -51)
  cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1)
  more = np.array([i for i in range(238, 0, -17) if i % 51])
  ramps = [more[:, np.newaxis] * axis for axis in np.eye(3, dtype=int)]
  grey = np.repeat(more[:, np.newaxis], 3, axis=1)
  colours = [np.zeros((1, 3)), cube.reshape(-1, 3)[:-1], *ramps, grey]
  return np.concatenate(colours).astype(np.uint8)


def first_hits(
  cells: np.ndarray, origins: np.ndarray, directions: np.ndarray
) -> Hits:
  """Walks along rays from cell to cell (Amanatides and Woo, 1987).

  Args:
    cells: `[X, Y, Z]` uint8, 0 where empty; a cell is a unit cube, the first
      with its corner at the origin.
    origins: `[R, 3]`, outside the grid.
    directions: `[R, 3]`.

  Returns:
    The first cells that are not empty.
  """
  shape = np.array(cells.shape)
  directions = np.where(
    np.abs(directions) < _PARALLEL, _PARALLEL, directions
  ).astype(np.float64)
  bounds = np.stack([-origins, shape - origins]) / directions
  entries, exits = bounds.min(axis=0), bounds.max(axis=0)
  enters = entries.max(axis=1)
  hits = Hits(*(np.zeros(len(origins), np.uint8) for _ in Hits._fields))
  rays = np.flatnonzero((exits.min(axis=1) > enters) & (enters >= 0))
  axis = entries[rays].argmax(axis=1)
  origin, slope = origins[rays], 1 / directions[rays]
  ahead = (slope > 0).astype(np.int64)
  places = origin + enters[rays, np.newaxis] * directions[rays]
  cell = np.clip(np.floor(places).astype(np.int64), 0, shape - 1)
  # A place on the face that is entered by may be rounded to its other side.
  entered = np.take_along_axis(
    np.where(ahead, 0, shape - 1), axis[:, np.newaxis], axis=1
  )
  np.put_along_axis(cell, axis[:, np.newaxis], entered, axis=1)
  strides = np.array([cells.shape[1] * cells.shape[2], cells.shape[2], 1])
  flat = cells.ravel()
  while len(rays):
    values = flat[cell @ strides]
    met = values > 0
    done = rays[met]
    hits.values[done] = values[met]
    hits.axes[done] = axis[met]
    hits.sides[done] = 1 - ahead[met, axis[met]]
    # Where a ray leaves its cell: the nearest of three planes.
    axis = ((cell + ahead - origin) * slope).argmin(axis=1)
    chosen = np.arange(len(rays)), axis
    cell[chosen] += 2 * ahead[chosen] - 1
    inside = (cell[chosen] >= 0) & (cell[chosen] < shape[axis]) & ~met
    rays, axis, cell = rays[inside], axis[inside], cell[inside]
    origin, slope, ahead = origin[inside], slope[inside], ahead[inside]
  return hits


def look_at_origin(azimuth: float, elevation: float) -> np.ndarray:
  """The pose of a camera that looks at the origin, z being up.

  Args:
    azimuth: radians from x towards y.
    elevation: radians above the ground, below pi / 2.

  Returns:
    `[4, 4]` from the camera's frame (x right, y down, z forward) to the
    world's.
  """
  outwards = np.array(
    [
      np.cos(elevation) * np.cos(azimuth),
      np.cos(elevation) * np.sin(azimuth),
      np.sin(elevation),
    ]
  )
  right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
  pose = np.eye(4)
  pose[:3, :3] = np.stack([right, np.cross(-outwards, right), -outwards], 1)
  pose[:3, 3] = DISTANCE * outwards
  return pose


def random_poses(rng: np.random.Generator, count: int) -> np.ndarray:
  """Poses `[count, 4, 4]` spread over the half sphere above the ground.

  Uniform in area from 0 to 72 degrees of elevation, and one in each of `count`
  equal parts of the azimuth.
  """
  azimuths = 2 * np.pi * (np.arange(count) + rng.random(count)) / count
  elevations = np.arcsin(0.95 * rng.random(count))
  return np.stack(
    [
      look_at_origin(*angles)
      for angles in zip(azimuths, elevations, strict=True)
    ]
  )


def render(
  cells: np.ndarray,
  pose: np.ndarray,
  *,
  size: int,
  oversample: int = 1,
  palette: np.ndarray | None = None,
) -> np.ndarray:
  """One view of a model.

  Args:
    cells: `[X, Y, Z]` uint8 indices into the palette, 0 where empty, z up. The
      whole box, of diagonal 1, is centred at the world's origin.
    pose: `[4, 4]`, see `look_at_origin`.
    size: side of the picture.
    oversample: rays along each side of a pixel, whose colours are averaged.
    palette: `[256, 3]` uint8; MagicaVoxel's by default.

  Returns:
    `[size, size, 3]` uint8, on white.

  Raises:
    ValueError: for a model that is no uint8 grid or is empty, or sizes that are
      not positive.
  """
  if cells.ndim != 3 or cells.dtype != np.uint8 or not cells.any():
    raise ValueError(
      "A model is a uint8 array [X, Y, Z] that is not all 0, got "
      f"{cells.dtype} of shape {cells.shape}."
    )
  if min(size, oversample) < 1:
    raise ValueError(
      f"size and oversample must be positive, got {size} and {oversample}."
    )
  side = size * oversample
  rays = rays_lib.camera_rays(
    pose,
    height=side,
    width=side,
    focal=_FOCAL * side / _FOCAL_SIZE,
    axes=rays_lib.OPENCV,
  ).reshape(-1, 6)
  shape = np.array(cells.shape)
  origins = rays[:, :3] * np.linalg.norm(shape) + shape / 2
  hits = first_hits(cells, origins, rays[:, 3:])
  palette = default_palette() if palette is None else palette
  colours = palette[hits.values] * _SHADES[hits.axes, hits.sides][:, np.newaxis]
  colours[hits.values == 0] = _WHITE
  parts = colours.reshape(size, oversample, size, oversample, 3)
  return np.rint(parts.mean(axis=(1, 3))).astype(np.uint8)


def write_scene(
  folder: pathlib.Path,
  cells: np.ndarray,
  poses: np.ndarray,
  *,
  size: int,
  oversample: int,
) -> None:
  """Writes the views of one model.

  Args:
    folder: of the scene.
    cells: the model, see `render`.
    poses: `[V, 4, 4]`.
    size: side of the pictures.
    oversample: see `render`.
  """
  for index, pose in enumerate(poses):
    picture = render(cells, pose, size=size, oversample=oversample)
    with files.replacing(folder / "rgb" / f"{index:06}.png") as path:
      path.write_bytes(data.encode_array(picture, ".png"))
    with files.replacing(folder / "pose" / f"{index:06}.txt") as path:
      path.write_text(" ".join(repr(float(x)) for x in pose.ravel()) + "\n")
  focal, middle = _FOCAL * size / _FOCAL_SIZE, size / 2
  with files.replacing(folder / "intrinsics.txt") as path:
    path.write_text(
      f"{focal} {middle} {middle} 0.\n0. 0. 0.\n1.\n{size} {size}\n"
    )


def write_scenes(
  voxels: str | os.PathLike[str],
  out: str | os.PathLike[str],
  *,
  num_views: int,
  size: int,
  oversample: int = 2,
  seed: int = 0,
  num_models: int | None = None,
) -> int:
  """Renders every model of an archive.

  A scene depends on its model, its name and the seed alone.

  Args:
    voxels: .npz of uint8 arrays `[X, Y, Z]`.
    out: where scenes go, one folder each.
    num_views: V of each.
    size: side of the pictures.
    oversample: see `render`.
    seed: of the cameras.
    num_models: the first so many in order of the names; None takes all.

  Returns:
    How many were rendered.

  Raises:
    ValueError: for an array that is no model, or a file that has none.
  """
  with np.load(voxels, allow_pickle=False) as archive:
    names = sorted(archive.files)[:num_models]
    if not names or num_views < 1:
      raise ValueError(
        f"{voxels}: {len(names)} models, {num_views} views each."
      )
    for name in names:
      rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
      poses = random_poses(rng, num_views)
      try:
        write_scene(
          pathlib.Path(out) / name,
          archive[name],
          poses,
          size=size,
          oversample=oversample,
        )
      except ValueError as error:
        raise ValueError(f"{voxels}, {name}: {error}") from error
  return len(names)


def main(argv: Sequence[str] | None = None) -> None:
  """Renders what the command line names."""
  parser = argparse.ArgumentParser(
    prog="render_voxels", description="Scenes from coloured voxel models."
  )
  parser.add_argument("--voxels", required=True, help=".npz of models")
  parser.add_argument("--out", required=True, help="folder of the splits")
  parser.add_argument("--split", required=True, choices=["train", "test"])
  parser.add_argument("--num_views", type=int, default=20)
  parser.add_argument("--size", type=int, default=64, help="side in pixels")
  parser.add_argument("--oversample", type=int, default=2)
  parser.add_argument("--num_models", type=int, help="the first so many")
  parser.add_argument("--seed", type=int, default=0)
  options = vars(parser.parse_args(argv))
  out = pathlib.Path(options.pop("out")) / options.pop("split")
  try:
    count = write_scenes(options.pop("voxels"), out, **options)
  except (OSError, ValueError) as error:
    raise SystemExit(f"{type(error).__name__}: {error}") from error
  print(f"Wrote {count} scenes to {out}")


if __name__ == "__main__":
  main()
