"""Inner gradients: three ways to be differentiated, one value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.adapt import gradient
from tests.adapt import problems

MODES = (gradient.mixed_mode, gradient.reverse, gradient.first_order)


@pytest.mark.parametrize("mode", MODES)
def test_value_is_that_of_value_and_grad(mode):
  # Fails if the gradient is taken with respect to another argument.
  shared, fast, context = problems.problem()
  loss, grads = mode(problems.loss_fn)(shared, fast, context)
  expected = jax.value_and_grad(problems.loss_fn, argnums=1)(
    shared, fast, context
  )
  problems.assert_close((loss, grads), expected, rtol=1e-6)


def test_mixed_mode_pulls_back_as_reverse_over_reverse_does():
  # Fails if one of the three arguments gets another's cotangent, or the jvp is
  # taken at another point.
  with jax.enable_x64(True):
    arguments = problems.problem(jnp.float64)
    _, like = gradient.reverse(problems.loss_fn)(*arguments)
    v = jax.tree.map(
      lambda x: jnp.asarray(np.random.default_rng(1).normal(size=x.shape)), like
    )

    def pulled_back(mode):
      @jax.jit
      def pull(arguments, v):
        fn = mode(problems.loss_fn)
        return jax.vjp(lambda *a: fn(*a)[1], *arguments)[1](v)

      return pull(arguments, v)

    found = pulled_back(gradient.mixed_mode)
    expected = pulled_back(gradient.reverse)
    problems.assert_close(found, expected, rtol=1e-10, atol=1e-15)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(expected))


def test_mixed_mode_is_a_finite_difference():
  # Fails if both modes share a mistake.
  with jax.enable_x64(True):
    shared, fast, context = problems.problem(jnp.float64)
    mode = gradient.mixed_mode(problems.loss_fn)

    def size(latent):
      _, grads = mode(shared, {"~": {"latent": latent}}, context)
      return jnp.sum(jnp.square(grads["~"]["latent"]))

    latent = fast["~"]["latent"]
    found = jax.grad(size)(latent)
    for i in range(latent.size):
      step = jnp.zeros_like(latent).at[i].set(1e-5)
      slope = (size(latent + step) - size(latent - step)) / 2e-5
      np.testing.assert_allclose(found[i], slope, rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_the_loss_is_a_constant_to_the_outer_gradient(mode):
  # Fails if the modes disagree on what the loss beside a gradient is.
  shared, fast, context = problems.problem()
  grads = jax.grad(lambda s: mode(problems.loss_fn)(s, fast, context)[0])(
    shared
  )
  assert not any(np.any(leaf) for leaf in jax.tree.leaves(grads))


def test_first_order_has_no_second():
  shared, fast, context = problems.problem()
  mode = gradient.first_order(problems.loss_fn)
  grads = jax.grad(
    lambda f: jnp.sum(mode(shared, f, context)[1]["~"]["latent"])
  )(fast)
  assert not np.any(grads["~"]["latent"])


def test_squared_error_is_a_mean_over_points_and_channels():
  # Fails if only one axis is averaged.
  a, b = np.random.default_rng(0).normal(size=(2, 5, 3))
  np.testing.assert_allclose(
    gradient.squared_error(jnp.asarray(a), jnp.asarray(b)),
    ((a - b) ** 2).mean(),
    rtol=1e-6,
  )
