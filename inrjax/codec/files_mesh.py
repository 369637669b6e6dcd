"""Shapes from and to meshes: .obj, .ply, .stl and .off files.

A mesh is put into the middle of a cube, which is cut into cells. A cell has its
occupancy, or its signed distance to the surface in sides of the cube, cut off
where it is far. What is decoded becomes a mesh by marching cubes and goes back
to its place. Colours, textures and normals are not kept.
"""

import os
from typing import Any

import numpy as np

from inrjax.codec import errors, file_tools, kinds, placement

DEFAULT_SIDE = 64
MAX_SIDE = 512
# Distances above are cut off: a tenth of the cube, or two cells if that is more
# (marching cubes needs the nearest ones as they are).
TRUNCATION = 0.1
_NEAR_CELLS = 2
_LEVELS = {"occupancy": 0.5, "distance": 0.0}


class EmptyShapeError(errors.UnsupportedSignalError):
  """A grid has no cell inside, so that there is no surface to write."""


def read(
  path: str | os.PathLike[str],
  *,
  kind: str,
  side: int = DEFAULT_SIDE,
  tools: file_tools.Tools,
) -> kinds.Signal:
  """A mesh as a grid.

  Args:
    path: a file that ends in one of `kinds.MESHES`.
    kind: "occupancy", 0 or 1, or "distance", negative inside.
    side: S, in `[2, MAX_SIDE]`.
    tools: `inrjax.data`.

  Returns:
    `[S, S, S, 1]` float32, with its place. `data.OpenMeshWarning` names a mesh
    that is not watertight.

  Raises:
    UnsupportedSignalError: if the file cannot be read, or is thinner than a
      cell everywhere.
    ImportError: if trimesh or libigl are not installed.
    ValueError: for a side out of range.
  """
  if not 2 <= side <= MAX_SIDE:
    raise ValueError(f"side must be in [2, {MAX_SIDE}], got {side}.")
  try:
    placed = tools.to_unit_cube(tools.read_mesh(path))
    if kind == "distance":
      far = max(TRUNCATION, _NEAR_CELLS / side)
      values = tools.distance_grid(placed.mesh, side=side).clip(-far, far)
    else:
      values = tools.occupancy_grid(placed.mesh, side=side)
  except ValueError as error:
    raise errors.UnsupportedSignalError(
      file_tools.reason(error, path)
    ) from error
  signal = kinds.Signal(
    kind,
    values.astype(np.float32)[..., np.newaxis],
    placement.metadata(placed.scale, placed.offset),
  )
  if not inside(signal).any():
    raise errors.UnsupportedSignalError(
      f"No cell of {side} x {side} x {side} has its middle inside "
      f"{os.fspath(path)}: it is thinner than a cell; raise --side."
    )
  return signal


def inside(signal: kinds.Signal) -> np.ndarray:
  """Which cells of a shape are inside it, bool of its shape."""
  level = _LEVELS[signal.kind]
  found: np.ndarray = (
    signal.values < level
    if signal.kind == "distance"
    else signal.values > level
  )
  return found


def write(
  signal: kinds.Signal, suffix: str, *, tools: file_tools.Tools
) -> bytes:
  """A grid as a mesh, at the place of the mesh that it was.

  Args:
    signal: `[X, Y, Z, 1]`, with the metadata that `read` gives; without, it
      lies in [0, 1]^3, its longest axis from 0 to 1.
    suffix: one of `kinds.MESHES`.
    tools: `inrjax.data`.

  Returns:
    The file's bytes, the same for the same grid.

  Raises:
    EmptyShapeError: if no cell is inside.
    UnsupportedSignalError: for several grids.
    CorruptBitstreamError: for values or metadata of no grid.
    ImportError: if scikit-image is not installed, or trimesh for .stl or .off.
  """
  values = signal.values
  if values.ndim != 4 or values.shape[-1] != 1:
    raise errors.UnsupportedSignalError(
      f"A mesh is written of one grid, not of {values.shape}: choose .npy."
    )
  if not np.isfinite(values).all():
    raise errors.CorruptBitstreamError(
      "A shape has missing values: the file is damaged."
    )
  place = placement.of(signal.metadata)
  if not inside(signal).any():
    raise EmptyShapeError(
      f"No cell of {signal.name or 'the grid'} is inside the decoded shape: "
      "there is no surface; write it as .npy, or compress it at a higher "
      "quality."
    )
  level = _LEVELS[signal.kind]
  grid = values[..., 0].astype(np.float64)
  if signal.kind == "occupancy":  # Above its level is inside.
    grid, level = -grid, -level
  mesh = tools.from_grid(grid, level=level)
  # `from_grid` makes a cube of all grids.
  proportions = np.array(grid.shape) / max(grid.shape)
  vertices = (mesh.vertices * proportions - place.offset) / place.scale
  if suffix in (".obj", ".ply"):
    return tools.encode_mesh(mesh._replace(vertices=vertices), suffix)
  return _exported(vertices, mesh.faces, suffix)


def describe(
  path: str | os.PathLike[str], *, tools: file_tools.Tools
) -> dict[str, Any]:
  """What a mesh is, without making a grid of it, as JSON values.

  Raises:
    UnsupportedSignalError, ImportError: as `read`.
  """
  try:
    mesh = tools.read_mesh(path)
  except ValueError as error:
    raise errors.UnsupportedSignalError(
      file_tools.reason(error, path)
    ) from error
  return {
    "kind": "occupancy",
    "vertices": len(mesh.vertices),
    "triangles": len(mesh.faces),
    "lowest": mesh.vertices.min(axis=0).tolist(),
    "highest": mesh.vertices.max(axis=0).tolist(),
  }


def _exported(vertices: np.ndarray, faces: np.ndarray, suffix: str) -> bytes:
  try:
    # Optional, and slow to import.
    import trimesh
  except ImportError as error:
    raise ImportError(
      f"Writing {suffix} needs trimesh: pip install 'inrjax[meshes]'."
    ) from error
  mesh = trimesh.Trimesh(vertices, faces, process=False)
  content: Any = mesh.export(file_type=suffix[1:])
  data: bytes = content.encode() if isinstance(content, str) else content
  return data
