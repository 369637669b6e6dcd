"""Centre crops and conversions give the middle, in the channels wanted."""

import numpy as np
import pytest

from inrjax import data

RNG = np.random.default_rng(0)


class Mixed:
  """Images of three sizes, the second one grey."""

  images = tuple(
    RNG.integers(0, 256, shape, np.uint8)
    for shape in ((6, 9, 3), (5, 5, 1), (8, 4, 3))
  )

  def __len__(self):
    return 3

  def __getitem__(self, index):
    return self.images[index]


def test_the_middle_is_kept():
  source = data.CentreCrop(Mixed(), 4)
  assert len(source) == 3 and len(list(source)) == 3
  wide, grey, tall = Mixed.images
  # Fails if the crop is at a corner; half a pixel goes to the end.
  np.testing.assert_array_equal(source[0], wide[1:5, 2:6])
  np.testing.assert_array_equal(source[1], grey[:4, :4])
  np.testing.assert_array_equal(source[2], tall[2:6])


def test_an_image_that_is_too_small_is_named():
  with pytest.raises(ValueError, match="Image 2 is 8 x 4.*crop of 5.*resize"):
    data.CentreCrop(Mixed(), 5)[2]
  with pytest.raises(ValueError, match="side must be at least 1, got 0"):
    data.CentreCrop(Mixed(), 0)


def test_channels_are_repeated_or_weighted():
  colour, grey = data.Channels(Mixed(), 3), data.Channels(Mixed(), 1)
  assert [image.shape[2] for image in colour] == [3, 3, 3]
  assert [image.shape[2] for image in grey] == [1, 1, 1]
  np.testing.assert_array_equal(colour[1], Mixed.images[1].repeat(3, axis=2))
  np.testing.assert_array_equal(colour[0], Mixed.images[0])
  np.testing.assert_array_equal(grey[1], Mixed.images[1])
  # Fails if the mean is taken, or blue for red.
  luma = Mixed.images[0] @ np.array([0.299, 0.587, 0.114])
  assert np.abs(grey[0][..., 0] - luma).max() <= 1


def test_there_are_one_or_three_channels():
  with pytest.raises(ValueError, match="1 or 3, got 4"):
    data.Channels(Mixed(), 4)
