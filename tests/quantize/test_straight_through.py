"""Rounding with a derivative, and training through it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.quantize import grids, post_training, straight_through

GRID = grids.symmetric(-1.5, 1.5, 3)  # Points -1.5, -1, ..., 1.5.


def test_values_are_those_of_the_grid_and_derivatives_one_inside():
  x = jnp.asarray([-2.0, -1.7, -1.5, -0.3, 0.2, 1.5, 1.74, 1.8])
  rounded, pull = jax.vjp(lambda x: straight_through.quantize(GRID, x), x)
  np.testing.assert_array_equal(
    rounded, [-1.5, -1.5, -1.5, -0.5, 0, 1.5, 1.5, 1.5]
  )
  np.testing.assert_array_equal(rounded, grids.fake_quantize(GRID, x))
  # Fails if an end of the grid is outside, where the largest weight lies.
  (slope,) = pull(jnp.full_like(x, 3.0))
  np.testing.assert_array_equal(slope, [0, 3, 3, 3, 3, 3, 3, 0])


def test_only_parameters_with_a_grid_are_rounded():
  params = {"a": {"w": jnp.full((2, 2), 0.3), "b": jnp.full((2,), 0.3)}}
  found = straight_through.quantize_params({"a/w": GRID}, params)
  np.testing.assert_array_equal(found["a"]["w"], 0.5)
  np.testing.assert_array_equal(found["a"]["b"], params["a"]["b"])
  with pytest.raises(ValueError, match="a/v"):
    straight_through.quantize_params({"a/v": GRID}, params)


def test_fine_tuning_finds_better_points_of_the_grid():
  # Rounding to the nearest is not the least error of correlated inputs.
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(64, 3)) @ rng.normal(size=(3, 16)))
  w = jnp.asarray(rng.normal(size=(16, 1)))

  def loss_fn(tap, params, batch):
    hidden = tap("hidden", batch @ params["w"])
    return jnp.mean(jnp.square(hidden - batch @ w))

  params = {"w": w}
  weights = post_training.fit_params(params, num_bits=2)
  ranges = post_training.calibrate(loss_fn, params, [x])
  activations = post_training.fit_activations(ranges, num_bits=8)
  aware = straight_through.quantization_aware(
    loss_fn, weights=weights, activations=activations
  )

  def step(params, _):
    loss, grads = jax.value_and_grad(aware)(params, x)
    return jax.tree.map(lambda p, g: p - 1e-3 * g, params, grads), loss

  _, losses = jax.jit(lambda p: jax.lax.scan(step, p, length=200))(params)
  np.testing.assert_allclose(losses[0], aware(params, x), rtol=1e-5)
  # Fails if no derivative passes the rounding.
  assert losses.min() < 0.7 * losses[0]


def test_an_activation_without_a_grid_is_named():
  tap = straight_through.quantizing({"a": GRID})
  np.testing.assert_array_equal(tap("a", jnp.asarray(0.3)), 0.5)
  with pytest.raises(ValueError, match="'b'"):
    tap("b", jnp.asarray(0.3))
