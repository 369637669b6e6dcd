"""Triangle meshes from and to files, and their place in the unit cube."""

import os
import pathlib
import warnings
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import NamedTuple

import numpy as np

from inrjax.data import listing, substitution

EXTENSIONS = frozenset((".obj", ".ply", ".stl", ".off"))
# What trimesh raises on damaged files.
_READ_ERRORS = (
  OSError,
  ValueError,
  KeyError,
  IndexError,
  TypeError,
  AttributeError,
  EOFError,
  NotImplementedError,
  OverflowError,
  MemoryError,
)


class MeshError(ValueError):
  """A file or an array that holds no surface this package can use."""


class UnreadableMeshWarning(UserWarning):
  """A mesh among many could not be used and is left out."""


class OpenMeshWarning(UserWarning):
  """A surface that is not watertight; its holes are closed as described."""


class Mesh(NamedTuple):
  """Triangles in space, counterclockwise seen from outside.

  Attributes:
    vertices: `[V, 3]` float64.
    faces: `[F, 3]` int64, indices of vertices.
  """

  vertices: np.ndarray
  faces: np.ndarray


class Placed(NamedTuple):
  """A mesh in the unit cube, and the way back.

  Attributes:
    mesh: its vertices are `scale * original + offset`.
    scale: above 0.
    offset: `[3]`.
  """

  mesh: Mesh
  scale: float
  offset: np.ndarray


def read_mesh(path: str | os.PathLike[str]) -> Mesh:
  """Reads a surface; vertices at exactly the same place become one.

  Polygons are cut into triangles; colours, textures and normals are dropped. A
  closed surface with its inside out is turned.

  Args:
    path: a .obj, .ply, .stl or .off file.

  Returns:
    The mesh. An `OpenMeshWarning` names it if it is not watertight.

  Raises:
    MeshError: if the file cannot be read or has no triangles.
    ImportError: if trimesh is not installed.
  """
  path = pathlib.Path(path)
  trimesh = _trimesh(path)
  if path.suffix.lower() not in EXTENSIONS:
    raise MeshError(f"{path} ends in none of {', '.join(sorted(EXTENSIONS))}.")
  try:
    loaded = trimesh.load(str(path), force="mesh", process=False)
    vertices = np.array(loaded.vertices, np.float64)
    faces = np.array(loaded.faces, np.int64)
  except _READ_ERRORS as error:
    raise MeshError(f"Cannot read {path}: {error}.") from error
  mesh = _joined(check_mesh(Mesh(vertices, faces), str(path)))
  if not len(mesh.faces):
    raise MeshError(f"{path} has only triangles without an area.")
  holes = num_open_edges(mesh)
  if holes:
    warnings.warn(
      f"{path} is not watertight: {holes} edges do not join two triangles. "
      "Inside is taken to be where its winding number is above 1/2, which "
      "closes holes; distances are to the triangles that are there.",
      OpenMeshWarning,
      stacklevel=2,
    )
  elif signed_volume(mesh) < 0:
    mesh = Mesh(mesh.vertices, mesh.faces[:, ::-1])
  return mesh


def check_mesh(mesh: Mesh, name: str = "The mesh") -> Mesh:
  """Refuses what is no surface.

  Args:
    mesh: any arrays.
    name: for the message.

  Returns:
    The mesh.

  Raises:
    MeshError: for no triangles, wrong shapes, indices of no vertex, or
      coordinates that are not finite.
  """
  vertices, faces = mesh
  if faces.ndim != 2 or faces.shape[1:] != (3,) or not len(faces):
    raise MeshError(
      f"{name} has faces {faces.shape}: no triangles; a cloud of points is no "
      "surface."
    )
  if vertices.ndim != 2 or vertices.shape[1:] != (3,) or not len(vertices):
    raise MeshError(f"{name} has vertices {vertices.shape}, not [V, 3].")
  if not np.isfinite(vertices).all():
    raise MeshError(f"{name} has coordinates that are not finite.")
  if faces.min() < 0 or faces.max() >= len(vertices):
    raise MeshError(
      f"{name} has faces of vertices {faces.min()} to {faces.max()}, and only "
      f"{len(vertices)} vertices."
    )
  return mesh


def num_open_edges(mesh: Mesh) -> int:
  """Edges that do not join two triangles of one orientation; 0 if watertight.

  Args:
    mesh: the surface.
  """
  corners = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
  ends, sides = np.unique(np.sort(corners, axis=1), axis=0, return_inverse=True)
  # Each triangle runs along an edge one way; its neighbour the other way.
  way = np.where(corners[:, 0] < corners[:, 1], 1, -1)
  sums = np.bincount(sides.reshape(-1), weights=way, minlength=len(ends))
  return int(np.count_nonzero(sums))


def to_unit_cube(mesh: Mesh, *, margin: float = 0.05) -> Placed:
  """A mesh in the middle of [0, 1]^3, its proportions kept.

  Args:
    mesh: the surface.
    margin: free space at either end of its longest side, in [0, 0.5).

  Returns:
    The mesh and the way back.

  Raises:
    MeshError: for a mesh without extent.
    ValueError: for a margin out of range.
  """
  if not 0 <= margin < 0.5:
    raise ValueError(f"margin must be in [0, 0.5), got {margin}.")
  low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
  longest = float((high - low).max())
  if not longest > 0:
    raise MeshError("All vertices of the mesh are one point.")
  scale = (1 - 2 * margin) / longest
  offset = 0.5 - scale * (low + high) / 2
  return Placed(Mesh(scale * mesh.vertices + offset, mesh.faces), scale, offset)


def encode_mesh(mesh: Mesh, suffix: str) -> bytes:
  """The bytes of a file that holds a mesh.

  Args:
    mesh: the surface.
    suffix: ".obj" (text) or ".ply" (binary, little-endian).

  Returns:
    The file.

  Raises:
    MeshError: for another suffix or an impossible mesh.
  """
  vertices, faces = check_mesh(mesh)
  if suffix.lower() == ".obj":
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}\n" for x, y, z in vertices]
    lines += [f"f {a} {b} {c}\n" for a, b, c in faces + 1]
    return "".join(lines).encode("ascii")
  if suffix.lower() != ".ply":
    raise MeshError(f"Cannot write {suffix!r}; choose .obj or .ply.")
  header = (
    "ply\nformat binary_little_endian 1.0\n"
    f"element vertex {len(vertices)}\n"
    "property float x\nproperty float y\nproperty float z\n"
    f"element face {len(faces)}\n"
    "property list uchar int vertex_indices\nend_header\n"
  )
  rows = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
  rows["count"], rows["corners"] = 3, faces
  return header.encode() + vertices.astype("<f4").tobytes() + rows.tobytes()


class MeshFiles(substitution.SubstitutingFiles):
  """Meshes as arrays, read and sampled when asked for.

  One that cannot be used is found when it is first read: its place is then
  taken by the next one that can, with one `UnreadableMeshWarning`.
  """

  ERROR = MeshError
  WARNING = UnreadableMeshWarning
  WHAT = "meshes"

  def __init__(
    self,
    paths: Iterable[str | os.PathLike[str]],
    sample: Callable[[Mesh], np.ndarray],
    *,
    margin: float = 0.05,
  ):
    """Keeps the paths; nothing is opened yet.

    Args:
      paths: the files, in the order of the indices.
      sample: what a mesh in the unit cube becomes:
        `mesh_sampling.occupancy_grid` or `distance_grid` with a side, or
        points and distances of your own.
      margin: see `to_unit_cube`.

    Raises:
      MeshError: for no paths.
    """
    super().__init__()
    self._sample = sample
    self._margin = margin
    self._paths = [pathlib.Path(path) for path in paths]
    if not self._paths:
      raise MeshError(
        f"There are no meshes; expected {', '.join(sorted(EXTENSIONS))} files."
      )

  def _read(self, path: pathlib.Path) -> np.ndarray:
    placed = to_unit_cube(read_mesh(path), margin=self._margin)
    return self._sample(placed.mesh)[..., np.newaxis]


class MeshFolder(MeshFiles):
  """Every mesh below a folder, in sorted order; see `MeshFiles`."""

  def __init__(
    self,
    root: str | os.PathLike[str],
    sample: Callable[[Mesh], np.ndarray],
    *,
    margin: float = 0.05,
  ):
    """Lists a folder.

    Args:
      root: the folder, searched recursively.
      sample: what a mesh in the unit cube becomes.
      margin: see `to_unit_cube`.

    Raises:
      MeshError: if there is no folder, or no mesh in it.
    """
    paths = listing.find_files(root, EXTENSIONS, error=MeshError)
    super().__init__(paths, sample, margin=margin)


def _joined(mesh: Mesh) -> Mesh:
  """Without vertices at one place, unused ones, and faces of two corners."""
  corners = mesh.vertices[mesh.faces].reshape(-1, 3)
  # Adding 0 makes -0 equal to 0.
  vertices, index = np.unique(corners + 0.0, axis=0, return_inverse=True)
  faces = index.reshape(-1, 3).astype(np.int64)
  following = np.roll(faces, -1, axis=1)
  return Mesh(vertices, faces[(faces != following).all(axis=1)])


def signed_volume(mesh: Mesh) -> float:
  """Volume of a watertight mesh, negative if its inside is out.

  Args:
    mesh: the surface.

  Returns:
    The sum over triangles of their tetrahedra with the origin.
  """
  a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
  return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)


def _trimesh(path: pathlib.Path) -> ModuleType:
  try:
    # Optional, and slow to import.
    import trimesh
  except ImportError as error:
    raise ImportError(
      f"Reading {path} needs trimesh: pip install 'inrjax[meshes]'."
    ) from error
  return trimesh
