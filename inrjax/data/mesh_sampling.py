"""Meshes as distances and as occupancy, and grids as meshes.

Distances are exact: to the nearest point of any triangle. Inside is where the
generalised winding number (Jacobson et al., 2013) is above one half, which for
a closed surface is the inside, and for one with holes is the inside of the
surface with its holes closed.
"""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from inrjax.data import meshes


def signed_distance(mesh: meshes.Mesh, points: np.ndarray) -> np.ndarray:
  """Euclidean distance to the surface, negative inside.

  Args:
    mesh: the surface.
    points: `[N, 3]`.

  Returns:
    `[N]` float64, exact up to rounding.

  Raises:
    MeshError: for impossible meshes.
    ImportError: if libigl is not installed.
  """
  igl = _igl()
  vertices, faces = meshes.check_mesh(mesh)
  points = np.ascontiguousarray(points, np.float64)
  # With libigl's own signs, distances shrink where a winding number is a
  # fraction.
  distance = igl.signed_distance(
    points,
    vertices,
    faces,
    sign_type=igl.SIGNED_DISTANCE_TYPE_UNSIGNED,
  )[0]
  inside = contains(mesh, points)
  return np.where(inside, -1.0, 1.0) * np.abs(distance)


def contains(mesh: meshes.Mesh, points: np.ndarray) -> np.ndarray:
  """Whether points lie inside.

  Args:
    mesh: the surface.
    points: `[N, 3]`.

  Returns:
    `[N]` bool.

  Raises:
    MeshError: for impossible meshes.
    ImportError: if libigl is not installed.
  """
  igl = _igl()
  vertices, faces = meshes.check_mesh(mesh)
  points = np.ascontiguousarray(points, np.float64)
  winding: np.ndarray = igl.winding_number(vertices, faces, points)
  return winding > 0.5


def cell_centres(side: int) -> np.ndarray:
  """The middles of the cells of a grid on [0, 1]^3.

  Args:
    side: cells on each axis.

  Returns:
    `[side^3, 3]` float64, row-major as in `coords.volume_context`.
  """
  if side < 1:
    raise ValueError(f"side must be at least 1, got {side}.")
  axis = (np.arange(side) + 0.5) / side
  points = np.meshgrid(axis, axis, axis, indexing="ij")
  return np.stack([p.ravel() for p in points], axis=-1)


def occupancy_grid(mesh: meshes.Mesh, *, side: int) -> np.ndarray:
  """Which cells of a grid on [0, 1]^3 have their middle inside.

  Args:
    mesh: in the unit cube, see `meshes.to_unit_cube`.
    side: cells on each axis.

  Returns:
    `[side, side, side]` bool.
  """
  return contains(mesh, cell_centres(side)).reshape(side, side, side)


def distance_grid(mesh: meshes.Mesh, *, side: int) -> np.ndarray:
  """Signed distances at the middles of the cells of a grid on [0, 1]^3.

  Args:
    mesh: in the unit cube.
    side: cells on each axis.

  Returns:
    `[side, side, side]` float32.
  """
  distance = signed_distance(mesh, cell_centres(side))
  return distance.astype(np.float32).reshape(side, side, side)


def from_grid(values: np.ndarray, *, level: float) -> meshes.Mesh:
  """The surface on which a grid has a level, by marching cubes.

  Args:
    values: `[side, side, side]` at the middles of cells of [0, 1]^3: signed
      distances (level 0), or occupancies negated (level -1/2): what is below
      the level is inside.
    level: of the surface.

  Returns:
    A watertight mesh; what touches the cube's faces is closed there.

  Raises:
    MeshError: if the level is nowhere crossed.
    ImportError: if scikit-image is not installed.
  """
  measure = _marching_cubes()
  values = np.asarray(values, np.float64)
  if values.ndim != 3 or not np.isfinite(values).all():
    raise meshes.MeshError(
      f"values must be finite [X, Y, Z], got {values.shape}."
    )
  if not values.min() < level:
    raise meshes.MeshError(
      f"No value is below {level:g}: the shape is empty; the smallest is "
      f"{values.min():g}."
    )
  outside = max(values.max(), level + 1)
  padded = np.pad(values, 1, constant_values=outside)
  vertices, faces, _, _ = measure(padded, level)
  # Cell i of the padded grid is cell i - 1, whose middle is at i - 1/2.
  places = (vertices.astype(np.float64) - 0.5) / values.shape
  mesh = meshes.Mesh(places.clip(0, 1), faces.astype(np.int64))
  if meshes.signed_volume(mesh) < 0:
    return meshes.Mesh(mesh.vertices, mesh.faces[:, ::-1])
  return mesh


def _igl() -> ModuleType:
  try:
    # Optional: compiled, and 17 times faster than trimesh's own distances.
    import igl  # type: ignore[import-untyped,import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      "Distances to meshes need libigl: pip install 'inrjax[meshes]'."
    ) from error
  module: ModuleType = igl
  return module


def _marching_cubes() -> Callable[..., tuple[np.ndarray, ...]]:
  try:
    from skimage import measure
  except ImportError as error:
    raise ImportError(
      "Marching cubes need scikit-image: pip install 'inrjax[meshes]'."
    ) from error
  found: Callable[..., tuple[np.ndarray, ...]] = measure.marching_cubes
  return found
