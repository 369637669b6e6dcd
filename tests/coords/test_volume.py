"""Volumes as contexts."""

import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.coords import volume

RNG = np.random.default_rng(0)


def test_each_voxel_has_its_place():
  # Fails if axes are swapped or the range is not [0, 1].
  field = RNG.integers(0, 256, (2, 3, 4), np.uint8)
  context = volume.volume_context(2, 3, 4)(jnp.asarray(field))
  assert context.coords.shape == (24, 3)
  for place, value in zip(context.coords, context.values, strict=True):
    i, j, k = (np.asarray(place) * [2, 3, 4] - 0.5).round().astype(int)
    np.testing.assert_allclose(value[0], field[i, j, k] / 255, rtol=1e-6)


def test_occupancies_and_floats():
  occupied = RNG.random((2, 2, 2)) < 0.5
  as_context = volume.volume_context(2, 2, 2)
  np.testing.assert_array_equal(
    as_context(jnp.asarray(occupied)).values[:, 0], occupied.ravel()
  )
  field = RNG.random((2, 2, 2, 3)).astype(np.float32)
  np.testing.assert_array_equal(
    as_context(jnp.asarray(field)).values, field.reshape(8, 3)
  )


def test_other_volumes_are_refused():
  as_context = volume.volume_context(2, 2, 2)
  with pytest.raises(ValueError, match="made for 2x2x2"):
    as_context(jnp.zeros((2, 2, 3)))
  with pytest.raises(ValueError, match="range is not known"):
    as_context(jnp.zeros((2, 2, 2), jnp.int16))
