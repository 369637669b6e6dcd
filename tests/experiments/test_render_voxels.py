"""Voxel models seen by analytic cameras."""

import hashlib
import pathlib

import numpy as np
import pytest

from experiments import render_voxels
from inrjax import data

FOCAL = 131.25 / 128


def test_the_palette_is_magicavoxels() -> None:
  # Fails if red and blue are swapped, or a ramp repeats a level of the cube.
  palette = render_voxels.default_palette()
  assert palette.shape == (256, 3)
  assert palette[[1, 2, 7, 37]].tolist() == [
    [255, 255, 255],
    [255, 255, 204],
    [255, 204, 255],
    [204, 255, 255],
  ]
  assert palette[[215, 216, 226, 236, 246, 255]].tolist() == [
    [0, 0, 51],
    [238, 0, 0],
    [0, 238, 0],
    [0, 0, 238],
    [238, 238, 238],
    [17, 17, 17],
  ]
  assert len(np.unique(palette[1:], axis=0)) == 255


@pytest.mark.parametrize(
  ("azimuth", "shade"), [(0.0, 0.86), (np.pi / 2, 0.78), (np.pi, 0.70)]
)
def test_a_cube_seen_along_an_axis_is_a_square(azimuth, shade) -> None:
  # Fails if the model is not scaled to a diagonal of 1 or not centred, or the
  # wrong side is shaded.
  cells = np.full((4, 4, 4), 216, np.uint8)
  pose = render_voxels.look_at_origin(azimuth, 0.0)
  picture = render_voxels.render(cells, pose, size=64)
  half = 0.5 / np.sqrt(3)  # Of the cube's side; its face is nearer by that.
  reach = FOCAL * 64 * half / (render_voxels.DISTANCE - half)
  inside = np.abs(np.arange(64) + 0.5 - 32) < reach
  expected = np.full((64, 64, 3), 255)
  expected[np.ix_(inside, inside)] = np.rint(shade * np.array([238, 0, 0]))
  np.testing.assert_array_equal(picture, expected)


def test_cells_are_seen_where_they_project_to() -> None:
  # Fails if axes are swapped or mirrored, or y points up in the picture.
  cells = np.zeros((5, 7, 3), np.uint8)
  # x from 0 to 4 is red, y green, z blue.
  marks = {216: (4, 3, 1), 226: (2, 6, 1), 236: (2, 3, 2), 255: (0, 0, 0)}
  for value, place in marks.items():
    cells[place] = value
  pose = render_voxels.look_at_origin(0.7, 0.5)
  np.testing.assert_allclose(
    pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12
  )
  assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
  assert pose[2, 1] < 0  # What is down in pictures is down in the world.
  picture = render_voxels.render(cells, pose, size=128).astype(int)
  palette = render_voxels.default_palette()
  for value, place in marks.items():
    world = (np.array(place) + 0.5 - np.array(cells.shape) / 2) / np.sqrt(83)
    local = np.linalg.inv(pose) @ np.append(world, 1)
    column, row = np.floor(local[:2] / local[2] * FOCAL * 128 + 64).astype(int)
    found, colour = picture[row, column], palette[value].astype(int)
    # One of six brightnesses of it.
    factors = (found[colour > 0] / colour[colour > 0]).round(2)
    assert np.ptp(factors) < 0.05 and 0.4 < factors[0] <= 1
    assert not found[colour == 0].any()


def test_what_is_nearer_hides_what_is_behind() -> None:
  # Fails if rays are walked backwards, or cells on the way are skipped.
  rng = np.random.default_rng(0)
  cells = rng.integers(0, 256, (6, 5, 4), np.uint8)
  cells[rng.random(cells.shape) < 0.7] = 0
  origins = rng.normal(0, 1, (200, 3))
  origins = 12 * origins / np.linalg.norm(origins, axis=1, keepdims=True)
  targets = rng.uniform(0, 1, (200, 3)) * cells.shape
  directions = targets - origins
  directions[:20, 0] = 0  # Some along planes of cells.
  directions /= np.linalg.norm(directions, axis=1, keepdims=True)
  hits = render_voxels.first_hits(cells, origins, directions)
  # The same by small steps.
  steps = np.arange(0, 25, 0.002)
  num_wrong = 0
  for ray in range(200):
    points = origins[ray] + steps[:, None] * directions[ray]
    places = np.floor(points).astype(int)
    inside = ((places >= 0) & (places < cells.shape)).all(axis=1)
    values = cells[tuple(places[inside].T)]
    met = values[values > 0]
    num_wrong += hits.values[ray] != (met[0] if len(met) else 0)
  # Steps can miss a corner that is cut.
  assert num_wrong <= 2 and (hits.values > 0).sum() > 50


def test_scenes_are_read_back_and_are_the_same_again(tmp_path) -> None:
  cells = np.zeros((2, 8, 3), np.uint8)
  cells[:, :6] = 1
  cells[:, 6:] = 216
  np.savez(tmp_path / "a.npz", car1=cells, car2=cells[:, ::-1])

  def write(name: str) -> tuple[pathlib.Path, str]:
    render_voxels.main(
      [
        f"--voxels={tmp_path / 'a.npz'}",
        f"--out={tmp_path / name}",
        "--split=train",
        "--num_views=3",
        "--size=16",
      ]
    )
    folder = tmp_path / name / "train"
    parts = [p.read_bytes() for p in sorted(folder.rglob("*.*"))]
    return folder, hashlib.sha256(b"".join(parts)).hexdigest()

  (folder, first), (_, second) = write("one"), write("two")
  assert first == second
  scenes = data.SRNScenes(folder)
  assert len(scenes) == 2
  scene = scenes.scene(0)
  assert scene.pictures.shape == (3, 16, 16, 3)
  np.testing.assert_allclose(scene.focal, 16 * FOCAL)
  for pose, picture in zip(scene.poses, scene.pictures, strict=True):
    # Fails if poses are written rounded or the other way round.
    expected = render_voxels.render(cells, pose, size=16, oversample=2)
    np.testing.assert_array_equal(picture, expected)
    np.testing.assert_allclose(
      np.linalg.norm(pose[:3, 3]), render_voxels.DISTANCE
    )
    assert pose[2, 3] >= 0
  # Fails if scenes share their cameras.
  assert not np.allclose(scene.poses, scenes.scene(1).poses)


def test_what_is_no_model_is_named(tmp_path) -> None:
  np.savez(tmp_path / "a.npz", hollow=np.zeros((3, 3, 3), np.uint8))
  options = {"num_views": 1, "size": 4}
  with pytest.raises(ValueError, match="hollow: A model is a uint8"):
    render_voxels.write_scenes(tmp_path / "a.npz", tmp_path / "o", **options)
  with pytest.raises(SystemExit, match="FileNotFoundError"):
    render_voxels.main(["--voxels=none.npz", "--out=o", "--split=test"])
  pose = render_voxels.look_at_origin(0, 0)
  with pytest.raises(ValueError, match="oversample must be positive"):
    render_voxels.render(
      np.ones((2, 2, 2), np.uint8), pose, size=4, oversample=0
    )
