"""Gradients scaled at test time by what pruned ones would have been."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import adapt, meta, networks
from inrjax.adapt import gradient, links, scaling, tiles
from inrjax.coords import select
from inrjax.types import Context
from tests.adapt import problems


def predict(shared, fast, coords):
  return problems.NETWORK.apply(problems.partition().join(shared, fast), coords)


def flat(tree):
  return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


@pytest.fixture(scope="module")
def arguments():
  return problems.problem(num_points=12)


@pytest.fixture(scope="module")
def parts(arguments):
  """Plain losses and gradients of the context and of its worst quarter."""
  shared, fast, context = arguments
  errors = np.asarray(select.error_norm(predict)(shared, fast, context))
  worst = np.argsort(-errors, kind="stable")[:3]
  pruned = Context(context.coords[worst], context.values[worst])
  run = gradient.first_order(problems.loss_fn)
  return run(shared, fast, context), run(shared, fast, pruned)


def test_norm_scaling_is_equation_6(arguments, parts):
  # Fails if the ratio is inverted, squared, or taken leaf by leaf.
  (loss, full), (_, pruned) = parts
  for pruning in (
    scaling.top_loss(0.25),
    scaling.as_in_training(select.top_error(predict, 0.25)),
  ):
    found = scaling.by_gradient_norm(pruning)(problems.loss_fn)(*arguments)
    ratio = np.linalg.norm(flat(pruned)) / np.linalg.norm(flat(full))
    assert abs(ratio - 1) > 0.01
    np.testing.assert_allclose(found[0], loss, rtol=1e-6)
    np.testing.assert_allclose(flat(found[1]), ratio * flat(full), rtol=1e-4)
    np.testing.assert_allclose(
      np.linalg.norm(flat(found[1])), np.linalg.norm(flat(pruned)), rtol=1e-4
    )


@pytest.mark.parametrize("tile", [None, 2])
def test_loss_scaling_is_the_ratio_of_losses(arguments, parts, tile):
  # Fails if the ratio is inverted, or of other points.
  (loss, full), (of_pruned, _) = parts
  pruning = scaling.top_loss(0.25, tile=tile)
  found = scaling.by_loss(pruning, tile=tile)(problems.loss_fn)(*arguments)
  assert of_pruned > 1.2 * loss
  np.testing.assert_allclose(
    flat(found[1]), of_pruned / loss * flat(full), rtol=1e-5
  )


@pytest.mark.parametrize("scaled", ["by_gradient_norm", "by_loss"])
def test_nothing_is_scaled_at_gamma_one(arguments, scaled):
  # Fails if either ratio is not exactly one for the whole context.
  wrap = getattr(scaling, scaled)
  found = adapted(arguments, wrap(scaling.top_loss(1.0)))
  expected = adapted(arguments, gradient.first_order)
  jax.tree.map(np.testing.assert_array_equal, found, expected)


def adapted(arguments, mode):
  shared, fast, context = arguments
  loop = adapt.make_adapt(
    problems.loss_fn, links.sgd(0.1), num_steps=3, gradient=mode
  )
  return jax.jit(lambda s, f: loop(jax.random.key(0), s, f, {}, context))(
    shared, fast
  )


def test_each_step_has_its_own_ratio(arguments):
  # Fails if the points are ranked once.
  shared, fast, context = arguments
  pruning = scaling.top_loss(0.25)
  found = adapted(arguments, scaling.by_loss(pruning))
  step = scaling.by_loss(pruning)(problems.loss_fn)
  for _ in range(3):
    _, grads = step(shared, fast, context)
    fast = jax.tree.map(lambda f, g: f - 0.1 * g, fast, grads)
  problems.assert_close(found.fast, fast, rtol=1e-4, atol=1e-6)


def test_a_perfect_fit_stays_as_it_is(arguments):
  # Fails with 0 / 0: a silent NaN.
  shared, fast, context = arguments
  values = predict(shared, fast, context.coords)
  perfect = context._replace(values=values)
  for wrap in (scaling.by_gradient_norm, scaling.by_loss):
    mode = wrap(scaling.top_loss(num_points=2), gradient.reverse)
    loss, grads = mode(problems.loss_fn)(shared, fast, perfect)
    assert loss < 1e-12 and not np.isnan(flat(grads)).any()
  zero = scaling.by_loss(scaling.top_loss(num_points=1))(
    lambda shared, fast, context: 0 * jnp.sum(fast["~"]["latent"])
  )(shared, fast, context)
  assert not np.any(flat(zero))


def test_gradients_in_tiles_are_scaled_alike(arguments):
  pruning = scaling.top_loss(0.5, tile=5)
  tiled = tiles.tiled_gradient(gradient.first_order, 5)
  found = scaling.by_gradient_norm(pruning, tiled)(problems.loss_fn)(*arguments)
  expected = scaling.by_gradient_norm(scaling.top_loss(0.5))(problems.loss_fn)(
    *arguments
  )
  problems.assert_close(found, expected, rtol=1e-4, atol=1e-7)


def test_bad_numbers_are_refused_at_construction():
  with pytest.raises(ValueError, match=r"ratio must lie in \(0, 1\]"):
    scaling.top_loss(0.0)
  with pytest.raises(ValueError, match="num_points must be at least 1"):
    scaling.top_loss(num_points=0)
  with pytest.raises(ValueError, match="tile must be at least 1"):
    scaling.top_loss(0.5, tile=0)
  with pytest.raises(ValueError, match="tile must be at least 1"):
    scaling.by_loss(scaling.top_loss(0.5), tile=0)


def test_a_methods_select_is_shown_what_training_showed_it():
  # Fails if the select of a gated method sees the loop's state in place of the
  # network's parameters: then it cannot predict.
  network = networks.SirenConfig(depth=2, width=5, w0=4.0, modulate=("shift",))
  method = meta.modulated(
    network=network, rates=meta.InnerRates(0.1, 0.1), gates=meta.Gates()
  )
  chosen = select.top_error(method.apply, 0.25)
  generator = np.random.default_rng(0)
  context = Context(
    jnp.asarray(generator.uniform(-1, 1, (12, 2)), jnp.float32),
    jnp.asarray(generator.uniform(0, 1, (12, 3)), jnp.float32),
  )
  key = jax.random.key(0)
  outer = method.init(key)

  def losses(pruning):
    scaled = scaling.by_gradient_norm(pruning)
    at_test_time = dataclasses.replace(method, gradient=scaled)
    return jax.jit(at_test_time.adapt)(key, outer, {}, context).losses

  np.testing.assert_allclose(
    losses(scaling.as_in_training(chosen)),
    losses(scaling.top_loss(0.25)),
    rtol=1e-5,
  )
