"""Where the pixels of a decoded image lie in the tiles of the coded one."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from inrjax.codec import errors, tiling
from inrjax.coords import patches


def centres(axis, side):
  """Positions of the output pixels in pixels of the original."""
  kept = np.arange(axis.positions.shape[1])[None] < axis.counts[:, None]
  return ((axis.tiles[:, None] + axis.positions) * side)[kept]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 30])
def test_at_scale_one_pixels_are_sampled_at_their_centres(size):
  axis = tiling.sample_axis(size, 8, scale=1.0, start=0, stop=size)
  # fails if corners are sampled.
  np.testing.assert_allclose(centres(axis, 8), np.arange(size) + 0.5, atol=1e-5)
  assert axis.tiles.tolist() == list(range(-(-size // 8)))


@hypothesis.given(
  size=st.integers(1, 60),
  side=st.integers(2, 17),
  scale=st.floats(0.05, 5),
  cut=st.floats(0, 1),
)
def test_parts_of_an_axis_are_parts_of_the_whole(size, side, scale, cut):
  def part(start, stop):
    axis = tiling.sample_axis(size, side, scale=scale, start=start, stop=stop)
    assert axis.positions.dtype == np.float32
    assert (0 <= axis.positions).all() and (axis.positions <= 1).all()
    assert (0 <= axis.tiles).all() and (axis.tiles * side < size).all()
    assert axis.positions.shape[1] == axis.counts.max()
    return centres(axis, side)

  whole = part(0, size)
  length = tiling.output_size(size, scale)
  assert len(whole) == length
  # fails if the grid is stretched to the tiles, or not centred.
  expected = (np.arange(length) + 0.5) * size / length
  np.testing.assert_allclose(whole, expected, atol=1e-4)
  middle = round(cut * size)
  hypothesis.assume(0 < middle < size)
  left, right = part(0, middle), part(middle, size)
  for some in (left, right):
    # fails if a region is resampled on a grid of its own.
    assert np.abs(some[:, None] - whole).min(axis=1).max() < 1e-4
  # fails if a pixel on the border is in both, or in neither.
  border = (np.abs(expected[:, None] - middle) < 1e-9).any()
  if not border and (expected < middle).any() and (expected > middle).any():
    assert len(left) + len(right) == length


def test_a_part_smaller_than_a_pixel_gives_one():
  axis = tiling.sample_axis(64, 8, scale=1 / 32, start=0, stop=3)
  assert axis.counts.tolist() == [1] and axis.tiles.tolist() == [2]
  axis = tiling.sample_axis(64, 8, scale=1 / 32, start=60, stop=64)
  assert axis.counts.tolist() == [1] and axis.tiles.tolist() == [6]
  assert tiling.output_size(3, 0.01) == 1


@pytest.mark.parametrize("shape", [(1, 1), (8, 16), (17, 9), (5, 31)])
def test_assembling_undoes_the_cut(shape):
  image = np.random.default_rng(0).random((*shape, 3))
  tiles = patches.to_patches(image, 8)
  grid = tiling.tile_grid(image.shape, 8)
  rows, columns = (
    tiling.sample_axis(n, 8, scale=1.0, start=0, stop=n) for n in shape
  )
  values = tiles.reshape(*grid, 8, 8, 3)
  values = values[:, :, : rows.counts.max(), : columns.counts.max()]
  # fails if axes are mixed up, or padding is kept.
  np.testing.assert_array_equal(tiling.assemble(values, rows, columns), image)


def test_grids_cover_the_image():
  assert tiling.tile_grid((16, 17, 3), 8) == (2, 3)
  assert tiling.tile_grid((1, 1, 1), 8) == (1, 1)


def test_more_tiles_than_memory_are_refused():
  # fails if a thin image is measured by its own pixels: 2^26 of them lie in
  # tiles of 2^33 values.
  with pytest.raises(errors.UnsupportedSignalError, match="cut it"):
    tiling.tile_grid((1 << 26, 1, 1), 128)
