"""A mean over signals, differentiated signal by signal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.adapt import batch

RNG = np.random.default_rng(0)
PARAMS = {"w": jnp.asarray(RNG.normal(size=3), jnp.float32)}
SIGNALS = jnp.asarray(RNG.normal(size=(5, 3)), jnp.float32)
KEYS = jax.random.split(jax.random.key(0), 5)


def fn(params, key, signal):
  """Two terms that differ, and a vector without a gradient."""
  noise = jax.random.normal(key, signal.shape)
  y = jnp.sin(params["w"] * signal + noise)
  return {"loss": jnp.sum(y**2), "other": jnp.prod(y)}, y


def plain(params):
  terms, rest = jax.vmap(lambda k, s: fn(params, k, s))(KEYS, SIGNALS)
  return jax.tree.map(jnp.mean, terms), rest


def tiled(params, task_tile):
  return batch.mean_over_signals(
    fn, params, (KEYS, SIGNALS), task_tile=task_tile
  )


def weighted(terms):
  return terms["loss"] - 3 * terms["other"] ** 2


@pytest.mark.parametrize("task_tile", [1, 2, 4, 5, 9, None])
def test_values_and_gradients_are_those_of_the_plain_mean(task_tile):
  # Fails if a short last tile is lost, a term gets the other's gradient, or
  # the signals change places.
  terms, rest = jax.jit(lambda p: tiled(p, task_tile))(PARAMS)
  expected, expected_rest = plain(PARAMS)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), terms, expected
  )
  np.testing.assert_allclose(rest, expected_rest, rtol=1e-5)
  found = jax.jit(jax.grad(lambda p: weighted(tiled(p, task_tile)[0])))(PARAMS)
  grad = jax.grad(lambda p: weighted(plain(p)[0]))(PARAMS)
  np.testing.assert_allclose(found["w"], grad["w"], rtol=1e-4)


def test_values_stay_the_same_under_differentiation():
  # Fails if the pass with gradients computes something else.
  value, _ = jax.value_and_grad(lambda p: tiled(p, 2)[0]["loss"])(PARAMS)
  np.testing.assert_allclose(value, plain(PARAMS)[0]["loss"], rtol=1e-5)


def test_memory_does_not_grow_with_the_signals():
  # Fails if residuals of every signal are kept to the end.
  def wide(params, signal):
    h = jnp.sin(signal[:, None] * params["w"][None])
    return {"loss": jnp.mean(jnp.sin(h) ** 2)}, ()

  def temporaries(count):
    signals = jnp.ones((count, 4000))
    compiled = (
      jax.jit(
        jax.grad(
          lambda p: batch.mean_over_signals(wide, p, (signals,), task_tile=1)[
            0
          ]["loss"]
        )
      )
      .lower({"w": jnp.ones(16)})
      .compile()
    )
    return compiled.memory_analysis().temp_size_in_bytes

  assert temporaries(16) - temporaries(2) < 4000 * 16 * 4


def test_a_tile_below_one_is_refused():
  with pytest.raises(ValueError, match="task_tile"):
    tiled(PARAMS, 0)
