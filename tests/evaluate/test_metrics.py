"""Distortions against plain loops and scikit-image."""

import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from skimage import data
from skimage import metrics as oracle

from inrjax.evaluate import metrics

BLACK = np.zeros((2, 2, 3), np.uint8)


def _noisy(image, scale, seed=0):
  noise = np.random.default_rng(seed).normal(0.0, scale, image.shape)
  return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photo():
  return data.astronaut()[100:170, 180:240]


def test_mse_is_the_mean_over_samples_of_squared_levels():
  rng = np.random.default_rng(0)
  a = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
  b = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
  total = 0
  for index in np.ndindex(a.shape):
    total += (int(a[index]) - int(b[index])) ** 2
  # fails if the difference wraps around in uint8, or channels are summed
  assert metrics.mse(a, b) == pytest.approx(total / a.size, rel=1e-15)


def test_psnr_of_one_level_everywhere():
  a = np.full((3, 4, 3), 10, np.uint8)
  # fails if the peak is 256, or the logarithm's factor is 20
  assert metrics.psnr(a, a + np.uint8(1)) == pytest.approx(48.1308036)


def test_psnr_matches_scikit_image(photo):
  other = _noisy(photo, 12)
  expected = oracle.peak_signal_noise_ratio(photo, other, data_range=255)
  assert metrics.psnr(photo, other) == pytest.approx(expected, rel=1e-12)


def test_floats_are_rounded_to_8_bits_before_they_are_compared():
  a = np.full((2, 2, 1), 100, np.uint8)
  # fails if floats are compared unrounded, or truncated instead of rounded
  assert metrics.mse(a, np.full((2, 2, 1), 100.4 / 255)) == 0
  assert metrics.mse(a, np.full((2, 2, 1), 100.6 / 255)) == 1


def test_floats_outside_the_range_are_clipped_as_a_decoder_clips():
  image = np.array([[[-0.5], [1.5]]], np.float32)
  # fails if values wrap around in the cast to uint8
  np.testing.assert_array_equal(metrics.as_uint8(image), [[[0], [255]]])


@hypothesis.given(st.integers(0, 255))
def test_every_level_survives_float32(level):
  image = np.full((1, 1, 1), level, np.float32) / np.float32(255)
  # fails if rounding is replaced by truncation
  assert metrics.as_uint8(image)[0, 0, 0] == level


def test_identical_images_have_infinite_psnr(photo):
  assert metrics.psnr(photo, photo) == math.inf
  noisy = _noisy(photo, 9)
  pairs = [photo, photo], [photo, noisy]
  assert metrics.mean_psnr(*pairs) == math.inf
  # fails if one lossless image hides the error of the other
  expected = metrics.psnr(photo, noisy) + 10 * math.log10(2)
  assert metrics.psnr_of_mean_mse(*pairs) == pytest.approx(expected)


@hypothesis.given(
  st.lists(st.floats(0.5, 60), min_size=1, max_size=6), st.integers(0, 99)
)
def test_the_two_averages_obey_jensen(scales, seed):
  original = np.full((6, 6, 3), 128, np.uint8)
  others = [_noisy(original, s, seed + i) for i, s in enumerate(scales)]
  hypothesis.assume(all((o != original).any() for o in others))
  originals = [original] * len(others)
  mean = metrics.mean_psnr(originals, others)
  of_mean = metrics.psnr_of_mean_mse(originals, others)
  errors = [metrics.mse(original, o) for o in others]
  # fails if the two names are exchanged
  assert of_mean <= mean + 1e-9
  assert mean == pytest.approx(
    np.mean([10 * np.log10(255**2 / e) for e in errors])
  )
  assert of_mean == pytest.approx(10 * np.log10(255**2 / np.mean(errors)))


@pytest.mark.parametrize("scale", [1, 10, 40])
@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_matches_scikit_image(photo, scale, channels):
  image = photo[..., :channels]
  other = _noisy(image, scale)
  expected = oracle.structural_similarity(
    image,
    other,
    data_range=255,
    channel_axis=-1,
    gaussian_weights=True,
    sigma=1.5,
    use_sample_covariance=False,
  )
  # fails if K1 or K2, the window or the range of values is another
  assert metrics.ssim(image, other) == pytest.approx(expected, abs=2e-5)


def test_ssim_of_identical_images_is_one(photo):
  assert metrics.ssim(photo, photo) == pytest.approx(1.0, abs=1e-6)


def test_ssim_refuses_images_smaller_than_its_window():
  image = np.zeros((10, 40, 3), np.uint8)
  with pytest.raises(ValueError, match="at least 11"):
    metrics.ssim(image, image)


@pytest.mark.parametrize(
  ("a", "b", "message"),
  [
    (BLACK, BLACK[..., :1], "equal"),
    (BLACK[:0], BLACK[:0], "no samples"),
    (BLACK.astype(np.int32), BLACK, "int32"),
    (np.full((2, 2, 3), np.nan), BLACK, "NaN"),
    (np.full((2, 2, 3), np.inf), BLACK, "infinite"),
  ],
)
def test_bad_images_are_refused_by_name(a, b, message):
  with pytest.raises(ValueError, match=message):
    metrics.psnr(a, b)


def test_averages_of_nothing_and_of_unequal_lists_are_refused(photo):
  with pytest.raises(ValueError, match="at least one"):
    metrics.mean_psnr([], [])
  with pytest.raises(ValueError, match="shorter"):
    metrics.psnr_of_mean_mse([photo, photo], [photo])


@pytest.mark.parametrize("error", [-1.0, math.nan])
def test_impossible_errors_are_refused(error):
  with pytest.raises(ValueError, match="at least 0"):
    metrics.psnr_from_mse(error)
