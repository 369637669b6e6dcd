"""Links: what happens to an inner gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax.adapt import links

UPDATES = {"a": jnp.array([1.0, -2.0]), "b": jnp.array([[3.0]])}


def apply(link, meta=None, updates=UPDATES):
  result, _ = link.update(updates, link.init(updates), None, meta=meta)
  return result


def rates(value):
  return {
    "learning_rates": jax.tree.map(lambda x: jnp.full_like(x, value), UPDATES)
  }


def test_sgd_descends():
  # Fails if the sign or the rate is dropped.
  np.testing.assert_allclose(apply(links.sgd(0.1))["a"], [-0.1, 0.2])


def test_meta_sgd_with_constant_rates_is_sgd():
  jax.tree.map(
    np.testing.assert_array_equal,
    apply(links.meta_sgd(), rates(0.25)),
    apply(links.sgd(0.25)),
  )


@pytest.mark.parametrize(
  ("rate", "used"),
  [(-0.5, 0.0), (0.0, 0.0), (0.7, 0.7), (1.0, 1.0), (3.0, 1.0)],
)
def test_rates_are_clipped_where_they_are_used(rate, used):
  # Fails if the clip range is only that of the initial values.
  np.testing.assert_allclose(
    apply(links.meta_sgd(clip=(0.0, 1.0)), rates(rate))["a"],
    -used * UPDATES["a"],
  )


def test_a_rate_at_its_bound_can_come_back():
  # Fails with the gradient of jnp.clip, which is zero outside.
  grads = jax.grad(lambda r: jnp.sum(links.clip_rate(r, 0.0, 1.0)))(
    jnp.array([-0.5, 0.0, 0.5, 1.0, 2.0])
  )
  np.testing.assert_array_equal(grads, 1)


def test_outer_gradient_reaches_the_rates():
  meta = rates(0.5)
  grads = jax.grad(lambda m: jnp.sum(apply(links.meta_sgd(), m)["a"]))(meta)
  np.testing.assert_allclose(grads["learning_rates"]["a"], -UPDATES["a"])


def test_gated_meta_sgd_is_equation_9():
  # Fails if the mask or the rate is left out.
  mask = {"a": jnp.array([0.0, 0.5]), "b": jnp.array([[1.0]])}
  found = apply(
    optax.chain(links.gate_updates(), links.meta_sgd()),
    rates(0.5) | {"gates": mask},
  )
  np.testing.assert_allclose(found["a"], [0.0, 0.5])
  np.testing.assert_allclose(found["b"], [[-1.5]])


def test_one_gate_may_serve_many_updates():
  # Fails if group gates must first be written out for every parameter.
  gates = {"a": jnp.full((1,), 0.5), "b": jnp.zeros((1, 1))}
  found = apply(links.gate_updates(), {"gates": gates})
  np.testing.assert_array_equal(found["a"], 0.5 * UPDATES["a"])
  assert not np.any(found["b"]) and found["b"].shape == UPDATES["b"].shape


def test_stop_gradients_stops_them():
  def outer(updates):
    return jnp.sum(apply(links.stop_gradients(), updates=updates)["a"])

  assert outer(UPDATES) == -1.0
  assert not np.any(jax.grad(outer)(UPDATES)["a"])


@pytest.mark.parametrize(
  ("link", "missing"),
  [(links.meta_sgd(), "learning_rates"), (links.gate_updates(), "gates")],
)
@pytest.mark.parametrize("meta", [None, {}, {"other": 1}])
def test_what_meta_lacks_is_named(link, missing, meta):
  with pytest.raises(ValueError, match=missing):
    apply(link, meta)


def test_impossible_values_are_refused():
  with pytest.raises(ValueError, match="clip"):
    links.meta_sgd(clip=(1.0, 1.0))
  with pytest.raises(ValueError, match="learning_rate"):
    links.sgd(0.0)
