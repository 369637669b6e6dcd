"""TransINR as a method: the same loop from a start that is predicted."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax import meta, networks
from inrjax.adapt import gradient as gradient_lib
from inrjax.coords import images
from inrjax.meta import reptile
from inrjax.networks import transinr

KEY = jax.random.key(0)
SIDE, STEPS, RATE = 4, 3, 0.05
SIREN = networks.SirenConfig(depth=2, width=4, w0=5.0, out_dim=1)
SHAPE = transinr.TransInrConfig(
  sides=(SIDE, SIDE),
  patch=(2, 2),
  padding=(0, 0),
  channels=1,
  num_layers=1,
  dim=8,
  num_heads=2,
  head_dim=4,
  feed_forward=8,
  num_groups=2,
)
RATES = meta.InnerRates(RATE, RATE)
AS_CONTEXT = images.image_context(SIDE, SIDE)
IMAGES = np.random.default_rng(0).uniform(0, 1, (2, SIDE, SIDE, 1))


def make(**changes):
  return meta.transinr(
    network=SIREN, hypernetwork=SHAPE, rates=RATES, **changes
  )


def context_of(index):
  return AS_CONTEXT(jnp.asarray(IMAGES[index], jnp.float32))


@pytest.fixture(scope="module")
def learned():
  method = make()
  assert method.partition
  return jax.jit(method.init)(KEY)


@pytest.fixture(scope="module")
def predicted(learned):
  """What the hypernetwork itself makes of each image."""
  predict = jax.jit(networks.make_transinr(SHAPE, SIREN).apply)
  return [
    predict(learned.shared, learned.fast, context_of(i).values) for i in (0, 1)
  ]


def error(fast, context):
  values = networks.make_siren(SIREN).apply(fast, context.coords)
  return jnp.mean(jnp.square(values - context.values))


def same(found, expected, **tolerance):
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, **tolerance), found, expected
  )


def fit(method, outer, index, **options):
  assert method.partition
  return jax.jit(
    lambda outer: method.adapt(KEY, outer, {}, context_of(index), **options)
  )(outer)


def test_no_steps_are_the_prediction(learned, predicted):
  # The base of the weights is a learned start; the rest is shared.
  assert learned.fast["first"]["w"].shape == (2, 4)
  assert all(name.startswith("transinr") for name in learned.shared)
  for index in (0, 1):
    found = fit(make(), learned, index)
    same(found.fast, predicted[index], rtol=1e-5, atol=1e-7)
    expected = error(predicted[index], context_of(index))
    np.testing.assert_allclose(found.losses, [expected], rtol=1e-5)
  # Fails if the start does not depend on the signal.
  apart = [x["first"]["w"] for x in predicted]
  assert np.abs(apart[0] - apart[1]).max() > 1e-3


def test_steps_are_descent_from_the_prediction(learned, predicted):
  context, fast = context_of(0), predicted[0]
  loss_and_grad = jax.jit(jax.value_and_grad(error))
  losses = []
  for _ in range(STEPS):
    loss, grads = loss_and_grad(fast, context)
    fast = jax.tree.map(lambda x, g: x - RATE * g, fast, grads)
    losses.append(loss)
  further = dataclasses.replace(
    make(), num_steps=STEPS, gradient=gradient_lib.first_order
  )
  found = fit(further, learned, 0)
  # Fails if the fit begins from the base, or predicts anew in each step.
  same(found.fast, fast, rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(
    found.losses, [*losses, error(fast, context)], rtol=1e-4
  )
  assert found.losses[-1] < found.losses[0]
  # Fails if a fit that goes on from a state begins with the prediction.
  again = fit(make(), learned, 0, start=found.state)
  np.testing.assert_allclose(again.losses, found.losses[-1:], rtol=1e-5)


def test_it_trains_and_a_target_draws_it_further(learned):
  method = make()
  objective = meta.bootstrapped(
    method, AS_CONTEXT, target=meta.Target(num_steps=2), weight=0.1
  )
  adam = optax.adam(3e-3)
  batch = jnp.asarray(IMAGES, jnp.float32)

  @jax.jit
  def step(params, state):
    (loss, (metrics, _)), grads = jax.value_and_grad(
      lambda p: objective(KEY, p, (), batch), has_aux=True
    )(params)
    updates, state = adam.update(grads, state)
    return optax.apply_updates(params, updates), state, metrics, grads

  params, state, first, grads = step(learned, adam.init(learned))
  for leaf in jax.tree.leaves(grads):
    # Fails if the prediction is cut off from the outer gradient.
    assert np.abs(leaf).max() > 0
  for _ in range(30):
    params, state, last, _ = step(params, state)
  assert last["mse"] < 0.8 * first["mse"]
  # Fails if training takes steps.
  assert first["mse"] == first["mse_before"] and last["bootstrap_distance"] > 0


def test_gates_and_masks_multiply_what_is_predicted(learned, predicted):
  wide = meta.Gates(initial_log_alpha=4.0)
  gated = make(gates=wide)
  outer = gated.init(KEY)
  mask = jax.tree.map(
    lambda x: jnp.asarray(np.arange(x.size).reshape(x.shape) % 2, x.dtype),
    outer.fast,
  )
  found = fit(gated, outer._replace(mask=mask), 0)
  expected = jax.tree.map(jnp.multiply, mask, predicted[0])
  # Fails if the mask is of the base, so that the prediction fills it again.
  same(found.fast, expected, rtol=1e-3, atol=1e-6)
  same(found.state["fast"], predicted[0], rtol=1e-5, atol=1e-7)


def test_pruning_while_fitting_begins_from_the_prediction(learned, predicted):
  method = dataclasses.replace(make(), num_steps=1)
  assert method.partition
  found = jax.jit(
    lambda outer: meta.fit_pruned(
      method, KEY, outer, context_of(1), num_kept=()
    )
  )(learned)
  # Fails if it begins from the base.
  np.testing.assert_allclose(
    found.adapted.losses[0, 0], error(predicted[1], context_of(1)), rtol=1e-5
  )


def test_what_has_no_meaning_is_refused():
  with pytest.raises(ValueError, match="start=learned_start"):
    dataclasses.replace(make(), start=meta.zero_start)
  with pytest.raises(ValueError, match="hypernetwork"):
    reptile.reptile(make(), AS_CONTEXT)
