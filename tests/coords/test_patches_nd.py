"""Blocks of signals of one, two and three axes."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from inrjax.coords import patches, patches_nd


@hypothesis.given(
  axes=st.lists(
    st.tuples(st.integers(1, 13), st.integers(1, 6)), min_size=1, max_size=3
  ),
  channels=st.integers(1, 3),
)
def test_any_shape_comes_back(axes, channels):
  # Fails if padding is not cut off again, or two axes are swapped.
  shape, sides = zip(*axes, strict=True)
  signal = np.arange(np.prod(shape) * channels).reshape(*shape, channels)
  blocks = patches_nd.to_blocks(signal, sides)
  counts = patches_nd.block_counts(shape, sides)
  assert blocks.shape == (np.prod(counts), *sides, channels)
  np.testing.assert_array_equal(patches_nd.from_blocks(blocks, shape), signal)


def test_two_equal_sides_are_patches():
  image = np.arange(5 * 7 * 3).reshape(5, 7, 3)
  np.testing.assert_array_equal(
    patches_nd.to_blocks(image, (4, 4)), patches.to_patches(image, 4)
  )


def test_blocks_are_in_order():
  # Fails if blocks go along another axis first, which a round trip would miss.
  volume = np.arange(4 * 4 * 6).reshape(4, 4, 6, 1)
  blocks = patches_nd.to_blocks(volume, (2, 2, 3))
  np.testing.assert_array_equal(blocks[1], volume[:2, :2, 3:])
  np.testing.assert_array_equal(blocks[2], volume[:2, 2:, :3])
  np.testing.assert_array_equal(blocks[4], volume[2:, :2, :3])


def test_padding_is_reflection():
  found = patches_nd.to_blocks(np.arange(3)[:, None], (2,))
  np.testing.assert_array_equal(found[..., 0], [[0, 1], [2, 2]])


@pytest.mark.parametrize(
  ("shape", "sides", "message"),
  [
    ((4,), (2, 2), "one side per axis"),
    ((), (), "one side per axis"),
    ((4, 0), (2, 2), "empty"),
    ((4, 4), (2, 0), "at least 1"),
  ],
)
def test_impossible_blocks_are_refused(shape, sides, message):
  with pytest.raises(ValueError, match=message):
    patches_nd.block_counts(shape, sides)


def test_a_wrong_number_of_blocks_is_refused():
  with pytest.raises(ValueError, match="that takes 3"):
    patches_nd.from_blocks(np.zeros((2, 4, 1)), (9,))
