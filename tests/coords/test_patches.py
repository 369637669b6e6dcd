"""Cutting images into patches and putting them together."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from inrjax import coords


def picture(height, width, channels=3):
  return np.arange(height * width * channels).reshape(height, width, channels)


@hypothesis.given(
  height=st.integers(1, 40),
  width=st.integers(1, 40),
  side=st.integers(1, 17),
  channels=st.sampled_from([1, 3]),
)
@hypothesis.example(height=1, width=1, side=16, channels=3)
@hypothesis.example(height=1, width=40, side=16, channels=1)
def test_any_size_comes_back(height, width, side, channels):
  # Fails if padding is not cut off again, or rows and columns are swapped.
  image = picture(height, width, channels)
  patches = coords.to_patches(image, side)
  rows, columns = coords.grid_shape(height, width, side)
  assert patches.shape == (rows * columns, side, side, channels)
  np.testing.assert_array_equal(
    coords.from_patches(patches, height, width), image
  )


def test_patches_are_in_raster_order():
  # Fails if patches go column by column, which a round trip does not see.
  image = picture(4, 6)
  patches = coords.to_patches(image, 2)
  np.testing.assert_array_equal(patches[0], image[:2, :2])
  np.testing.assert_array_equal(patches[1], image[:2, 2:4])
  np.testing.assert_array_equal(patches[3], image[2:, :2])


def test_padding_is_reflection_with_the_edge_repeated():
  # Fails if zeros, or the other kind of reflection, fill the border.
  padded = coords.pad_to_multiple(picture(3, 1, 1), 4)[..., 0]
  np.testing.assert_array_equal(padded, [[0] * 4, [1] * 4, [2] * 4, [2] * 4])


def test_thin_images_are_reflected_more_than_once():
  padded = coords.pad_to_multiple(picture(2, 1, 1), 7)[:, 0, 0]
  np.testing.assert_array_equal(padded, [0, 1, 1, 0, 0, 1, 1])


def test_patches_at_another_scale_make_a_larger_image():
  # Fails if the side the image was cut with is assumed.
  image = picture(5, 7)
  doubled = image.repeat(2, axis=0).repeat(2, axis=1)
  patches = coords.to_patches(image, 4).repeat(2, axis=1).repeat(2, axis=2)
  np.testing.assert_array_equal(coords.from_patches(patches, 10, 14), doubled)


@pytest.mark.parametrize(("height", "width", "side"), [(0, 3, 2), (3, 3, 0)])
def test_impossible_sizes_are_refused(height, width, side):
  with pytest.raises(ValueError, match="empty|side"):
    coords.grid_shape(height, width, side)


def test_a_wrong_number_of_patches_is_refused():
  with pytest.raises(ValueError, match="that takes 4"):
    coords.from_patches(np.zeros((3, 4, 4, 3)), 8, 8)
