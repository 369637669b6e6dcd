"""Convolution and pooling against loops in NumPy."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.networks import blocks

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
def test_convolution_is_a_loop_over_padded_windows(kernel, stride):
  # Fails if padding is "SAME", which shifts windows at stride 2.
  x = RANDOM.normal(size=(1, 4, 6, 2)).astype(np.float32)
  run = hk.without_apply_rng(
    hk.transform(
      lambda x: blocks.conv(x, 3, kernel=kernel, stride=stride, name="c")
    )
  )
  w = RANDOM.normal(size=(kernel, kernel, 2, 3)).astype(np.float32)
  params = {"c": {"w": w}}
  side = kernel // 2
  padded = np.pad(x, ((0, 0), (side, side), (side, side), (0, 0)))
  expected = np.zeros((1, 4 // stride, 6 // stride, 3))
  for i in range(4 // stride):
    for j in range(6 // stride):
      window = padded[0, i * stride :, j * stride :][:kernel, :kernel]
      expected[0, i, j] = np.einsum("hwc,hwco->o", window, w)
  np.testing.assert_allclose(jax.jit(run.apply)(params, x), expected, atol=1e-5)


@pytest.mark.parametrize(
  ("window", "stride", "padding"), [(2, 2, 0), (3, 2, 1)]
)
def test_max_pooling_is_a_loop(window, stride, padding):
  # Fails if what is padded is 0, larger than negative values.
  x = -1 - RANDOM.uniform(size=(1, 4, 4, 2)).astype(np.float32)
  result = blocks.max_pool(
    jnp.asarray(x), window=window, stride=stride, padding=padding
  )
  for i in range(2):
    for j in range(2):
      rows = slice(max(i * stride - padding, 0), i * stride - padding + window)
      cols = slice(max(j * stride - padding, 0), j * stride - padding + window)
      np.testing.assert_array_equal(
        result[0, i, j], x[0, rows, cols].max((0, 1))
      )


def test_average_pooling_is_the_mean_of_each_part():
  x = jnp.asarray(RANDOM.normal(size=(1, 4, 6, 2)), jnp.float32)
  result = blocks.average_pool_to(x, 2)
  np.testing.assert_allclose(result[0, 1, 0], x[0, 2:, :3].mean((0, 1)), 1e-5)
