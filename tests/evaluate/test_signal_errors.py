"""Errors in a signal's own unit."""

import math

import numpy as np
import pytest

from inrjax.evaluate import metrics, rate_distortion, signal_errors

RNG = np.random.default_rng(0)


def test_errors_are_a_loop():
  # Fails if the peak is another, or the sign of the bias.
  original = RNG.uniform(200, 300, (4, 5))
  error = RNG.normal(0.3, 1, (4, 5))
  found = signal_errors.signal_errors(
    original, original + error, value_range=(200, 320), unit="K"
  )
  flat = list(error.ravel())
  square = sum(e * e for e in flat) / 20
  assert math.isclose(found.root_mean_square, math.sqrt(square))
  assert math.isclose(found.mean_absolute, sum(map(abs, flat)) / 20)
  assert math.isclose(found.max_absolute, max(map(abs, flat)), rel_tol=1e-9)
  assert math.isclose(found.bias, sum(flat) / 20, rel_tol=1e-9)
  assert math.isclose(found.psnr, 10 * math.log10(120**2 / square))
  assert found.num_values == 20
  assert str(found).startswith(f"RMSE {math.sqrt(square):.4g} K, largest")


def test_bytes_have_the_psnr_of_images():
  a, b = RNG.integers(0, 256, (2, 8, 8, 3), np.uint8)
  found = signal_errors.signal_errors(a, b, value_range=(0, 255))
  assert math.isclose(found.psnr, metrics.psnr(a, b))
  rate = rate_distortion.Rate(64, 10, 0, 0, 10)
  measured = signal_errors.measurement(found, rate)
  assert math.isclose(measured.mse, metrics.mse(a, b))
  same = signal_errors.signal_errors(a, a, value_range=(0, 255))
  assert same.psnr == math.inf
  assert signal_errors.measurement(same, rate).mse == 0


def test_missing_values_are_not_compared():
  original = np.array([[1.0, np.nan], [3, 4]])
  decoded = np.array([[1.5, 7.0], [3, 4]])
  found = signal_errors.signal_errors(
    original, decoded, value_range=(0, 10), present=np.isfinite(original)
  )
  assert (found.num_values, found.max_absolute) == (3, 0.5)
  with pytest.raises(ValueError, match="original.*`present`"):
    signal_errors.signal_errors(original, decoded, value_range=(0, 10))
  with pytest.raises(ValueError, match="no values"):
    signal_errors.signal_errors(
      original, decoded, value_range=(0, 10), present=False
    )
  with pytest.raises(ValueError, match="value_range"):
    signal_errors.signal_errors(original, decoded, value_range=(1, 1))
  with pytest.raises(ValueError, match="must be equal"):
    signal_errors.signal_errors(original, decoded[0], value_range=(0, 1))


def test_ratio_to_noise():
  sound = np.array([3.0, -4.0])
  assert math.isclose(signal_errors.signal_to_noise(sound, 0.9 * sound), 20)
  assert signal_errors.signal_to_noise(sound, sound) == math.inf
  with pytest.raises(ValueError, match="silent"):
    signal_errors.signal_to_noise(np.zeros(2), sound)


def test_occupancies():
  # Fails if outputs are not thresholded, or the two are one number.
  original = np.array([True, True, False, False, False])
  outputs = np.array([0.9, 0.4, 0.6, 0.2, -3.0])
  assert signal_errors.voxel_accuracy(original, outputs) == 3 / 5
  assert signal_errors.intersection_over_union(original, outputs) == 1 / 3
  assert signal_errors.voxel_accuracy(original, outputs, threshold=0.3) == 0.8
  empty = np.zeros(3, bool)
  assert signal_errors.intersection_over_union(empty, empty) == 1
  with pytest.raises(ValueError, match="finite"):
    signal_errors.voxel_accuracy(original, outputs * np.nan)
