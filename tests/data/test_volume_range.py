"""The range of volumes, without the brightest few values."""

import numpy as np
import pytest

from inrjax.data import volume_range, volumes

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["int16", "float64"])
def test_range_leaves_out_the_brightest_values(dtype):
  # Fails if each volume has a range of its own, or the share is not of all.
  many = [RNG.exponential(100, (20, 20, 20)).astype(dtype) for _ in range(3)]
  many[1][0, 0, 0] = 9000
  low, high = volume_range.value_range(many, percentile=99.9)
  values = np.concatenate([v.ravel() for v in many]).astype(float)
  exact = np.sort(values)[len(values) * 999 // 1000 - 1]
  assert low == values.min()
  assert exact <= high <= exact + 2 * 9000 / 65536
  assert volume_range.value_range(many, percentile=100)[1] == 9000
  unit = volume_range.to_unit(many[1], low=low, high=high)
  assert unit.dtype == np.float32 and unit.max() == 1
  back = volume_range.from_unit(unit, low=low, high=high)
  np.testing.assert_allclose(
    back, np.minimum(many[1], high), rtol=1e-6, atol=1e-4
  )
  scaled = volume_range.ScaledVolumes(many, low=low, high=high)
  np.testing.assert_array_equal(scaled[1], unit)


def test_volumes_without_a_range_are_refused():
  with pytest.raises(volumes.VolumeError, match="everywhere"):
    volume_range.value_range([np.full((2, 2, 2), 3)])
  with pytest.raises(ValueError, match="at least one"):
    volume_range.value_range([])
  with pytest.raises(ValueError, match="percentile"):
    volume_range.value_range([np.eye(2)], percentile=0)
  with pytest.raises(ValueError, match="low must be below"):
    volume_range.to_unit(np.eye(2), low=1, high=1)
