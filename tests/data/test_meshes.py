"""Meshes from and to files, and folders of them."""

import functools
import sys
import warnings

import grain
import numpy as np
import pytest

from inrjax.data import mesh_sampling, meshes
from tests.data import boxes

pytest.importorskip("trimesh", reason="trimesh is not installed")
pytest.importorskip("igl", reason="libigl is not installed")


def write(path, mesh):
  path.write_bytes(meshes.encode_mesh(mesh, path.suffix))
  return path


@pytest.mark.parametrize("suffix", [".obj", ".ply"])
def test_files_come_back(tmp_path, suffix):
  mesh = boxes.box((0, -3, 2), (1, 5, 4))
  found = meshes.read_mesh(write(tmp_path / f"a{suffix}", mesh))
  assert meshes.num_open_edges(found) == 0
  assert len(found.vertices) == 8
  np.testing.assert_allclose(
    found.vertices[found.faces], mesh.vertices[mesh.faces], atol=1e-6
  )


def test_split_vertices_are_joined_and_insides_turned(tmp_path):
  # Fails if a mesh with a normal per face is called open, or an inside-out
  # one has everything but itself inside.
  mesh = boxes.box()
  split = meshes.Mesh(
    mesh.vertices[mesh.faces].reshape(-1, 3),
    np.arange(36).reshape(12, 3)[:, ::-1],
  )
  assert meshes.num_open_edges(split) == 36
  found = meshes.read_mesh(write(tmp_path / "a.obj", split))
  assert len(found.vertices) == 8 and meshes.num_open_edges(found) == 0
  inside = mesh_sampling.contains(found, np.array([[0.5, 0.5, 0.5], [2, 2, 2]]))
  np.testing.assert_array_equal(inside, [True, False])


def test_a_hole_is_named_and_closed(tmp_path):
  # Fails if an open mesh passes in silence, or distances shrink at its hole.
  mesh = boxes.box()
  open_box = meshes.Mesh(mesh.vertices, mesh.faces[:-2])
  path = write(tmp_path / "a.ply", open_box)
  with pytest.warns(meshes.OpenMeshWarning, match="a.ply.*4 edges.*winding"):
    found = meshes.read_mesh(path)
  points = np.array([[0.5, 0.5, 0.2], [0.5, 0.5, 1.5], [-0.5, 0.5, 0.5]])
  distance = mesh_sampling.signed_distance(found, points)
  edge = np.hypot(0.5, 0.5)
  np.testing.assert_allclose(distance, [-0.2, edge, 0.5], atol=1e-6)


def test_the_unit_cube_keeps_proportions():
  mesh = boxes.box((10, 20, 30), (14, 22, 31))
  placed = meshes.to_unit_cube(mesh, margin=0.1)
  low, high = placed.mesh.vertices.min(axis=0), placed.mesh.vertices.max(axis=0)
  np.testing.assert_allclose(high - low, [0.8, 0.4, 0.2])
  np.testing.assert_allclose((low + high) / 2, 0.5)
  np.testing.assert_allclose(
    (placed.mesh.vertices - placed.offset) / placed.scale, mesh.vertices
  )
  with pytest.raises(ValueError, match="margin"):
    meshes.to_unit_cube(mesh, margin=0.5)
  point = meshes.Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]]))
  with pytest.raises(meshes.MeshError, match="one point"):
    meshes.to_unit_cube(point)


def test_what_cannot_be_used_is_named(tmp_path):
  for name, content, message in (
    ("a.obj", b"", "no triangles"),
    ("b.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no triangles|Cannot read"),
    ("c.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "Cannot read|only 3"),
    ("d.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
    ("g.obj", b"v 0 0 0\nv 1 0 0\nf 1 2 2\n", "without an area"),
    ("e.ply", b"ply\nformat binary_little_endian 1.0\n", "Cannot read"),
    ("f.txt", b"", "ends in none of"),
  ):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(meshes.MeshError, match=message):
      meshes.read_mesh(path)
  with pytest.raises(meshes.MeshError, match="none.obj"):
    meshes.read_mesh(tmp_path / "none.obj")
  with pytest.raises(meshes.MeshError, match="choose .obj or .ply"):
    meshes.encode_mesh(boxes.box(), ".stl")


def test_folder_survives_a_broken_mesh_and_grain_takes_it(tmp_path):
  for i in range(3):
    write(tmp_path / f"{i}.obj", boxes.box((0, 0, 0), (1, 1, 1 + i)))
  (tmp_path / "1.obj").write_bytes(b"")
  sample = functools.partial(mesh_sampling.occupancy_grid, side=6)
  source = meshes.MeshFolder(tmp_path, sample)
  with pytest.warns(meshes.UnreadableMeshWarning, match="1.obj"):
    (batch,) = grain.MapDataset.source(source).batch(3)
  assert batch.shape == (3, 6, 6, 6, 1)
  assert batch[0].all() and batch[1].sum() < 6 * 6 * 6
  np.testing.assert_array_equal(batch[1], batch[2])
  with pytest.raises(meshes.MeshError, match="no meshes"):
    meshes.MeshFiles([], sample)


@pytest.mark.parametrize("name", ["trimesh", "igl"])
def test_without_the_packages_the_remedy_is_named(tmp_path, monkeypatch, name):
  path = write(tmp_path / "a.obj", boxes.box())
  monkeypatch.setitem(sys.modules, name, None)
  with pytest.raises(ImportError, match=r"inrjax\[meshes\]"):
    mesh_sampling.occupancy_grid(meshes.read_mesh(path), side=2)


def test_real_meshes(data_dir):
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    spot = meshes.to_unit_cube(meshes.read_mesh(data_dir / "shapes/spot.obj"))
  assert spot.mesh.vertices.shape == (829, 3)
  assert spot.mesh.faces.shape == (1654, 3)
  occupied = mesh_sampling.occupancy_grid(spot.mesh, side=16)
  distance = mesh_sampling.distance_grid(spot.mesh, side=16)
  np.testing.assert_array_equal(occupied, distance < 0)
  assert 0.05 < occupied.mean() < 0.3
  with pytest.warns(meshes.OpenMeshWarning, match="demosthenes"):
    meshes.read_mesh(data_dir / "shapes" / "demosthenes.obj")
