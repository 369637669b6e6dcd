"""Distances and occupancy of meshes, and marching cubes back."""

import numpy as np
import pytest

from inrjax.data import mesh_sampling, meshes
from tests.data import boxes

pytest.importorskip("igl", reason="libigl is not installed")

RNG = np.random.default_rng(0)


def test_distances_to_a_box_are_exact_and_signed():
  # Fails if distances are to vertices or planes, or the sign is another.
  low, high = np.array([0.2, 0.3, 0.1]), np.array([0.6, 0.9, 0.7])
  points = RNG.uniform(-0.5, 1.5, (500, 3))
  found = mesh_sampling.signed_distance(boxes.box(low, high), points)
  np.testing.assert_allclose(
    found, boxes.box_distance(points, low, high), atol=1e-12
  )
  grid = mesh_sampling.distance_grid(boxes.box(low, high), side=7)
  centres = mesh_sampling.cell_centres(7)
  np.testing.assert_allclose(
    grid.ravel(), boxes.box_distance(centres, low, high), atol=1e-6
  )
  occupied = mesh_sampling.occupancy_grid(boxes.box(low, high), side=7)
  np.testing.assert_array_equal(occupied, grid < 0)
  assert np.array_equal(centres[1], [0.5 / 7, 0.5 / 7, 1.5 / 7])


def test_marching_cubes_find_the_surface_again():
  # Fails if the grid is shifted by half a cell, or the mesh is inside out.
  pytest.importorskip("skimage", reason="scikit-image is not installed")
  points = mesh_sampling.cell_centres(20)
  ball = np.linalg.norm(points - 0.5, axis=1).reshape(20, 20, 20) - 0.3
  mesh = mesh_sampling.from_grid(ball, level=0.0)
  radii = np.linalg.norm(mesh.vertices - 0.5, axis=1)
  np.testing.assert_allclose(radii, 0.3, atol=2e-3)
  assert meshes.num_open_edges(mesh) == 0
  assert mesh_sampling.signed_distance(mesh, np.full((1, 3), 0.5))[0] < -0.29
  # Occupancy that touches the cube's faces is closed there.
  full = mesh_sampling.from_grid(-np.ones((4, 4, 4)), level=-0.5)
  assert meshes.num_open_edges(full) == 0
  occupied = RNG.random((5, 5, 5)) < 0.3
  blocks = mesh_sampling.from_grid(-occupied.astype(float), level=-0.5)
  np.testing.assert_array_equal(
    mesh_sampling.occupancy_grid(blocks, side=5), occupied
  )
  with pytest.raises(meshes.MeshError, match="the shape is empty"):
    mesh_sampling.from_grid(np.zeros((3, 3, 3)), level=-0.5)
