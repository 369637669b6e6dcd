"""Occupancy grids."""

import grain
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from inrjax.data import voxels

RNG = np.random.default_rng(0)


def ball(side, radius, middle=0.0):
  axis = (np.arange(side) + 0.5) / side * 2 - 1 - middle
  return axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 < radius**2


def test_halving_keeps_the_shape_and_its_thin_parts():
  # Fails if the shape moves by half a cell, or the threshold is a half.
  fine = ball(32, 0.8)
  coarse = voxels.downscale(fine, 16)
  pairs = fine.reshape(16, 2, 16, 2, 16, 2).mean(axis=(1, 3, 5))
  assert coarse.dtype == bool and coarse.shape == (16, 16, 16)
  np.testing.assert_array_equal(coarse, coarse[::-1, ::-1, ::-1])
  assert coarse[pairs == 1].all()
  np.testing.assert_array_equal(coarse, pairs > voxels.THRESHOLD)
  sheet = np.zeros((32, 32, 32), bool)
  sheet[15] = True
  assert voxels.downscale(sheet, 16)[7].all()
  with pytest.raises(voxels.VoxelError, match="smaller grid is empty"):
    voxels.downscale(sheet, 16, threshold=0.6)


@pytest.mark.parametrize(
  ("grid", "message"),
  [
    (np.zeros((3, 3, 3)), "empty.*leave it out"),
    (np.ones((3, 3)), "expected numbers"),
    (np.full((2, 2, 2), np.nan), "finite"),
    (np.full((2, 2, 2), "a"), "expected numbers"),
  ],
  ids=["empty", "flat", "nan", "text"],
)
def test_grids_without_a_shape_are_refused(grid, message):
  with pytest.raises(voxels.VoxelError, match=message):
    voxels.check_occupancy(grid)


def test_small_grids_stand_in_the_middle():
  grid = RNG.random((3, 5, 6)) < 0.5
  cube = voxels.to_cube(grid, 8)
  np.testing.assert_array_equal(cube[2:5, 1:6, 1:7], grid)
  assert cube.sum() == grid.sum()
  large = np.ones((20, 10, 5), bool)
  assert voxels.to_cube(large, 10).sum() == 10 * 5 * 2


@hypothesis.given(
  seed=st.integers(0, 99),
  shape=st.tuples(*[st.integers(1, 9)] * 3),
)
def test_other_proportions_stay_in_the_cube(seed, shape):
  # Fails if a shape is cut at the cube's faces, or vanishes.
  rng = np.random.default_rng(seed)
  grid = rng.random(shape) < 0.3
  hypothesis.assume(grid.any())
  found = voxels.rescale_axes(rng, grid)
  assert found.shape == shape and found.any()


def test_scales_are_those_asked_for():
  # Fails if a scale is applied the wrong way round.
  box = np.zeros((40, 40, 40), bool)
  box[10:30, 10:30, 10:30] = True
  half = voxels.rescale_axes(RNG, box, smallest=0.5, largest=0.5)
  expected = np.zeros_like(box)
  expected[15:25, 15:25, 15:25] = True
  np.testing.assert_array_equal(half, expected)
  # Twice the box is the cube; four times would leave it.
  assert voxels.rescale_axes(RNG, box, smallest=4, largest=4).all()


def test_archives_are_read_in_order_and_empty_grids_are_named(tmp_path):
  # Fails if an empty grid moves the others, or stops the reading.
  path = tmp_path / "a.npz"
  grids = {
    "b": np.ones((2, 2, 2), np.uint8),
    "a": 7 * np.eye(3, dtype=np.uint8)[None].repeat(3, 0),
    "c": np.zeros((2, 2, 2), np.uint8),
  }
  np.savez(path, **grids)
  with pytest.warns(voxels.UnreadableVoxelsWarning, match="a.npz: c is empty"):
    source = voxels.voxels_from_npz(path, side=4)
  assert len(source) == 2
  assert [name.split(": ")[1] for name in source.names] == ["a", "b"]
  np.testing.assert_array_equal(source[0][:3, :3, :3, 0], grids["a"] > 0)
  assert source[1].dtype == bool and source[1].sum() == 8
  (batch,) = grain.MapDataset.source(source).batch(2)
  assert batch.shape == (2, 4, 4, 4, 1)
  np.savez(path, c=grids["c"])
  with (
    pytest.warns(voxels.UnreadableVoxelsWarning),
    pytest.raises(voxels.VoxelError, match="None of 1"),
  ):
    voxels.voxels_from_npz(path, side=4)
  path.write_bytes(b"PK nothing")
  with pytest.raises(voxels.VoxelError, match="Cannot read"):
    voxels.voxels_from_npz(path, side=4)
  np.save(tmp_path / "one.npy", grids["a"])
  np.testing.assert_array_equal(
    voxels.read_grids(tmp_path / "one.npy").grids[0], grids["a"]
  )


def test_variants_are_the_same_at_every_visit():
  # Fails if a resumed run would see other shapes, or splits share variants.
  grids = [ball(12, 0.6), ball(12, 0.4)]
  source = voxels.VoxelGrids(grids, side=12, num_variants=4)
  assert len(source) == 8
  np.testing.assert_array_equal(source[4][..., 0], grids[1])
  np.testing.assert_array_equal(source[5], source[5])
  test = voxels.VoxelGrids(grids, side=12, num_variants=4, split="test")
  pairs = [(source[i], test[i]) for i in (1, 2, 3)]
  assert any(not np.array_equal(a, b) for a, b in pairs)
  with pytest.raises(IndexError):
    source[8]


def test_bad_arguments_are_refused():
  grid = np.ones((2, 2, 2))
  for call, name in (
    (lambda: voxels.downscale(grid, 0), "side"),
    (lambda: voxels.downscale(grid, 2, threshold=1), "threshold"),
    (lambda: voxels.to_cube(grid, 0), "side"),
    (lambda: voxels.rescale_axes(RNG, grid, smallest=0), "smallest"),
    (lambda: voxels.VoxelGrids([grid], side=2, num_variants=0), "num_variants"),
  ):
    with pytest.raises(ValueError, match=name):
      call()


def test_real_voxels(data_dir):
  source = voxels.voxels_from_npz(data_dir / "voxels" / "test.npz", side=32)
  assert len(source) == 69
  shares = [source[i].mean() for i in range(len(source))]
  assert min(shares) > 0 and max(shares) < 0.8
