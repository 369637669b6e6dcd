"""Bootstrapped targets, with MAML, modulations and gates."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax import coords, meta, networks, train
from inrjax.adapt import gradient, links, tiles
from inrjax.coords import select
from inrjax.meta import bootstrap
from inrjax.sparsity import penalty

KEY = jax.random.key(0)
SIDE = 4
AS_CONTEXT = coords.image_context(SIDE, SIDE)
RATE = 0.05
PLAIN = networks.SirenConfig(depth=2, width=5, w0=4.0)
MODULATED = dataclasses.replace(PLAIN, modulate=("shift",))
FIXED = meta.InnerRates(RATE, RATE)
IMAGES = jnp.asarray(
  np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
)


def maml(ratio=0.25, **changes):
  """ECoP: MAML on the points of highest error."""
  method = meta.maml(network=PLAIN, rates=FIXED, num_steps=2)
  chosen = select.top_error(method.apply, ratio)
  return dataclasses.replace(method, select=chosen, **changes)


def gated():
  """ECoP x MSCN."""
  method = meta.modulated(
    network=MODULATED,
    rates=meta.InnerRates(0.05, 0.2, clip=(0.0, 1.0)),
    gates=meta.Gates(),
  )
  return dataclasses.replace(
    method, select=select.top_error(method.apply, 0.25)
  )


def run(objective, params, carry=(), key=KEY):
  def loss(params):
    return objective(key, params, carry, IMAGES)

  return jax.jit(jax.value_and_grad(loss, has_aux=True))(params)


def flat(tree):
  return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


@pytest.fixture(scope="module")
def pruned():
  """A bootstrapped MAML: method, params, `(loss, (metrics, _)), gradient`."""
  method = maml()
  params = method.init(KEY)
  target = bootstrap.Target(num_steps=2, link=links.sgd(0.1))
  objective = meta.bootstrapped(method, AS_CONTEXT, target=target, weight=3.0)
  return method, params, run(objective, params)


def unrolled(method, params, image, num_more, rate):
  """theta_K and theta_K+L with plain loops, and the loss at theta_K."""
  context = AS_CONTEXT(image)

  def loss(fast, points):
    return jnp.mean(
      (method.apply({}, fast, points.coords) - points.values) ** 2
    )

  fast = params.fast
  for _ in range(2):
    error = jnp.linalg.norm(
      method.apply({}, fast, context.coords) - context.values, axis=1
    )
    worst = jax.lax.stop_gradient(jnp.argsort(-error)[: SIDE * SIDE // 4])
    points = jax.tree.map(lambda x, worst=worst: x[worst], context)
    grads = jax.grad(loss)(fast, points)
    fast = jax.tree.map(lambda f, g: f - RATE * g, fast, grads)
  further = jax.lax.stop_gradient(fast)
  for _ in range(num_more):
    grads = jax.grad(loss)(further, context)
    further = jax.tree.map(lambda f, g: f - rate * g, further, grads)
  return fast, further, loss(fast, context)


def test_objective_is_algorithm_1(pruned):
  # Fails if the target is reached on pruned points, with the other rate, in
  # other than L steps, or if the distance is squared or weighted otherwise.
  method, params, ((loss, (metrics, _)), grads) = pruned

  def of_image(params, image):
    fast, further, mse = unrolled(method, params, image, 2, 0.1)
    apart = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), fast, further)
    return mse + 3.0 * jnp.sqrt(sum(jax.tree.leaves(apart)))

  def total(params):
    return jnp.mean(jax.vmap(lambda x: of_image(params, x))(IMAGES))

  expected, expected_grads = jax.jit(jax.value_and_grad(total))(params)
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  np.testing.assert_allclose(
    loss, metrics["mse"] + 3 * metrics["bootstrap_distance"], rtol=1e-5
  )
  np.testing.assert_allclose(
    flat(grads.fast), flat(expected_grads.fast), rtol=1e-3, atol=1e-5
  )


def test_reconstruction_is_that_of_the_plain_objective(pruned):
  # Fails if the bootstrap changes the fit that it looks at.
  method, params, ((_, (metrics, _)), _) = pruned
  (_, (plain, _)), _ = run(meta.post_adaptation(method, AS_CONTEXT), params)
  for name, value in plain.items():
    np.testing.assert_allclose(metrics[name], value, rtol=1e-5)


def test_all_points_and_no_weight_are_learnit_to_the_bit():
  # Fails if the loss is computed in another way, or the points in another
  # order.
  learnit = meta.maml(network=PLAIN, rates=FIXED, num_steps=2)
  params = learnit.init(KEY)
  objective = meta.bootstrapped(maml(ratio=1.0), AS_CONTEXT, weight=0.0)
  found = run(objective, params)
  expected = run(meta.post_adaptation(learnit, AS_CONTEXT), params)
  jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_a_target_carries_no_gradient():
  # Fails if the target, or the start of its steps, is differentiated: then the
  # distance would pull the target towards the fit.
  method = maml()
  params = method.init(KEY)
  context = AS_CONTEXT(IMAGES[0])
  adapted = jax.jit(method.adapt)(KEY, params, {}, context)
  distance_of = bootstrap.bootstrapped_distance(method, bootstrap.PAPER)

  @jax.jit
  def derivative(params, fast, state):
    return jax.grad(
      lambda p, f, s: distance_of(
        KEY, p, {}, context, adapted._replace(fast=f, state=s)
      ),
      argnums=(0, 1, 2),
    )(params, fast, state)

  of_params, of_fast, of_state = derivative(params, adapted.fast, adapted.state)
  assert not np.any(flat(of_params)) and not np.any(flat(of_state))
  np.testing.assert_allclose(np.linalg.norm(flat(of_fast)), 1, rtol=1e-5)


def test_distances():
  one = {"a": jnp.array([[3.0, 0.0]]), "b": jnp.array(2.0)}
  other = {"a": jnp.array([[0.0, 0.0]]), "b": jnp.array(-2.0)}
  np.testing.assert_allclose(bootstrap.l2_distance(one, other), 5)
  np.testing.assert_allclose(
    bootstrap.mean_squared_distance(one, other), 25 / 3, rtol=1e-6
  )
  # Fails with the root's infinite slope.
  grads = jax.grad(bootstrap.l2_distance)(one, one)
  assert not np.any(flat(grads))


@pytest.mark.parametrize("adapt_rate", [0.0, 0.1])
def test_it_trains_with_gates_and_a_penalty(adapt_rate):
  # ECoP x MSCN. Fails if states, noise or metrics of gates are lost.
  method = gated()
  method = dataclasses.replace(
    method, gates=dataclasses.replace(method.gates, adapt_rate=adapt_rate)
  )
  lam = penalty.constant(1e-3)
  objective = meta.with_l0_penalty(
    meta.bootstrapped(method, AS_CONTEXT, weight=0.1), lam, num_values=48
  )
  params = method.init(KEY)
  optimizer = optax.adam(1e-3)
  step = jax.jit(train.make_train_step(objective, optimizer))
  state = train.init_state(KEY, params, optimizer, carry=((), lam.init()))
  seen = []
  for _ in range(25):
    state, metrics = step(state, IMAGES)
    seen.append(metrics)
  assert all(m["finite"] == 1 for m in seen)
  assert all(m["bootstrap_distance"] > 0 for m in seen)
  losses = [float(m["loss"]) for m in seen]
  assert np.mean(losses[-5:]) < np.mean(losses[:5])
  for old, new in zip(
    jax.tree.leaves(params), jax.tree.leaves(state.params), strict=True
  ):
    assert np.any(old != new)


def test_modulations_and_tiles():
  # ECoP x COIN++, everything in tiles: fails if a tile changes anything.
  network = dataclasses.replace(MODULATED, latent_dim=3)
  method = meta.modulated(network=network, rates=FIXED, num_steps=2)
  params = method.init(KEY)

  def objective(tile, task_tile):
    first_order, mixed = gradient.first_order, gradient.mixed_mode
    if tile is not None:
      first_order = tiles.tiled_gradient(first_order, tile)
      mixed = tiles.tiled_gradient(mixed, tile)
    chosen = select.top_error(method.apply, 0.5, tile=tile)
    return meta.bootstrapped(
      dataclasses.replace(method, select=chosen, gradient=mixed),
      AS_CONTEXT,
      target=bootstrap.Target(gradient=first_order),
      task_tile=task_tile,
    )

  found = run(objective(3, 1), params)
  expected = run(objective(None, None), params)
  np.testing.assert_allclose(flat(found), flat(expected), rtol=1e-3, atol=1e-4)
  assert np.any(flat(found[1]))


def test_bad_numbers_are_refused_at_construction():
  with pytest.raises(ValueError, match="at least 1 step, got 0"):
    bootstrap.Target(num_steps=0)
  for weight in (-1.0, float("nan"), float("inf")):
    with pytest.raises(ValueError, match="weight must be finite"):
      meta.bootstrapped(maml(), AS_CONTEXT, weight=weight)
