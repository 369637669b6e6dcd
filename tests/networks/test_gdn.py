"""Divisive normalisation: against loops, and always positive."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.networks import gdn


@pytest.fixture(scope="module")
def problem():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, 3, 1, 4)).astype(np.float32)
  params = {
    "norm": {
      "beta": rng.normal(size=4).astype(np.float32),
      "gamma": rng.normal(size=(4, 4)).astype(np.float32),
    }
  }
  return x, params


def _transformed(fn):
  return hk.without_apply_rng(hk.transform(lambda x: fn(x, name="norm")))


def _by_loops(x, params):
  beta, gamma = params["norm"]["beta"], params["norm"]["gamma"]
  pool = np.empty(x.shape)
  for index in np.ndindex(x.shape):
    total = 1e-6 + beta[index[-1]] ** 2
    for j in range(x.shape[-1]):
      total += gamma[j, index[-1]] ** 2 * x[index[:-1] + (j,)] ** 2
    pool[index] = total
  return pool


def test_both_are_the_formula(problem):
  x, params = problem
  pool = _by_loops(x, params)
  # Fails if gamma is transposed, a root forgotten, or the two are exchanged.
  np.testing.assert_allclose(
    _transformed(gdn.gdn).apply(params, x), x / np.sqrt(pool), rtol=1e-5
  )
  np.testing.assert_allclose(
    _transformed(gdn.igdn).apply(params, x), x * np.sqrt(pool), rtol=1e-5
  )


def test_start():
  x = jnp.asarray([[0.0, 2.0, -3.0]])
  init, apply = _transformed(gdn.gdn)
  params = init(jax.random.key(0), x)
  assert params["norm"]["gamma"].shape == (3, 3)
  # Fails if gamma does not begin as a tenth of the identity.
  expected = np.asarray(x) / np.sqrt(1 + 0.1 * np.asarray(x) ** 2)
  np.testing.assert_allclose(apply(params, x), expected, rtol=1e-5)
  # Fails if the entries beside the diagonal can never leave zero.
  grads = jax.grad(lambda p: apply(p, x).sum())(params)
  assert np.all(np.asarray(grads["norm"]["gamma"])[1:, 1:] != 0)


def test_no_parameters_give_anything_but_finite_values(problem):
  x, params = problem
  zero = jax.tree.map(np.zeros_like, params)
  # Fails if nothing keeps the divisor from zero.
  assert np.all(np.isfinite(_transformed(gdn.gdn).apply(zero, x)))
  negative = jax.tree.map(lambda leaf: -np.abs(leaf), params)
  positive = jax.tree.map(np.abs, params)
  apply = _transformed(gdn.gdn).apply
  np.testing.assert_array_equal(apply(negative, x), apply(positive, x))
