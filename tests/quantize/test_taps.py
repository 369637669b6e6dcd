"""Taps: the right activations, and nothing else changes."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.quantize import taps


def _residual(x):
  x = hk.Conv2D(4, 3)(x)
  x = hk.BatchNorm(True, True, 0.9)(x, is_training=True)
  x = jax.nn.relu(x)
  # One activation, two products; the second behind a call.
  shortcut = hk.get_parameter("shortcut", (4, 4), init=jnp.ones)
  x = hk.Conv2D(4, 3)(x) + jax.jit(jnp.matmul)(x, shortcut)
  x = jnp.mean(jax.nn.relu(x), axis=(1, 2))
  return hk.Linear(3)(x)


@pytest.fixture(scope="module")
def network():
  """`(apply, params, state, images)`, with batch norm and a shortcut."""
  x = jax.random.normal(jax.random.key(1), (2, 6, 6, 3))
  net = hk.transform_with_state(_residual)
  params, state = net.init(jax.random.key(0), x)
  return net.apply, params, state, x


def test_activations_are_what_enters_products(network):
  apply, params, state, x = network
  found = taps.shapes(taps.tap_products(apply), params, state, None, x)
  # Fails if the image, a weight, or an activation twice is tapped.
  assert {name: s.shape for name, s in found.items()} == {
    "activation_0": (2, 6, 6, 4),
    "activation_1": (2, 4),
  }


def test_the_identity_changes_no_value_and_no_gradient(network):
  apply, params, state, x = network
  tapped = taps.tap_products(apply)

  def loss(apply, params):
    logits, after = apply(params, state, None, x)
    return jnp.sum(jnp.square(logits)), after

  found, expected = (
    jax.jit(jax.value_and_grad(lambda p, fn=fn: loss(fn, p), has_aux=True))(
      params
    )
    for fn in (lambda *a: tapped(taps.identity, *a), apply)
  )
  # Fails if the derivative of a ReLU at 0 is lost, or the state is.
  assert jax.tree.structure(found) == jax.tree.structure(expected)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
    found,
    expected,
  )


def test_a_tap_by_hand_and_one_found_are_the_same():
  params = {"a": jnp.full((3, 4), 0.5), "b": jnp.full((4, 2), -2.0)}
  x = jnp.arange(6.0).reshape(2, 3)

  def by_hand(tap, params, x):
    hidden = tap("activation_0", jax.nn.relu(x @ params["a"]))
    return hidden @ params["b"]

  found = taps.tap_products(lambda p, x: by_hand(taps.identity, p, x))
  by = {"activation_0": jax.random.normal(jax.random.key(0), (2, 4))}
  for fn in (by_hand, found):
    result, seen = taps.recording(fn, params, x)
    np.testing.assert_allclose(
      seen["activation_0"], jax.nn.relu(x @ params["a"])
    )
    moved = fn(taps.adding(by), params, x)
    np.testing.assert_allclose(
      moved - result, by["activation_0"] @ params["b"], rtol=1e-5
    )


def test_a_loop_over_layers_is_refused_by_name():
  def looped(params, x):
    return jax.lax.scan(lambda x, w: (x @ w, None), x, params)[0]

  with pytest.raises(ValueError, match="inside a scan"):
    taps.tap_products(looped)(
      taps.identity, jnp.ones((2, 3, 3)), jnp.ones((4, 3))
    )


def test_names_and_shapes_are_checked():
  def twice(tap, x):
    return tap("a", tap("a", x))

  with pytest.raises(ValueError, match="'a'"):
    taps.shapes(twice, jnp.ones(2))
  tapped = taps.tap_products(lambda p, x: x @ p @ p)
  with pytest.raises(ValueError, match="activation_0"):
    tapped(lambda name, x: x[:1], jnp.ones((3, 3)), jnp.ones((2, 3)))
