"""Pruning in training and while a signal is fitted."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax import coords, meta, networks, sparsity, train
from inrjax.adapt import links
from inrjax.meta import pruned
from inrjax.sparsity import prospr, pruning, saliency
from inrjax.types import Context

KEY = jax.random.key(0)
SIREN = networks.SirenConfig(depth=3, width=6, w0=8.0)
RATES = meta.InnerRates(0.02, 0.02)
METHOD = meta.maml(network=SIREN, rates=RATES, prunable=True)
DENSE = meta.maml(network=SIREN, rates=RATES)
SIDE = 4
AS_CONTEXT = coords.image_context(SIDE, SIDE)
IMAGES = jnp.asarray(
  np.random.default_rng(0).uniform(0, 1, (2, SIDE, SIDE, 3)), jnp.float32
)
SCHEDULE = sparsity.Schedule(
  num_dense_steps=3, num_round_steps=2, ratio=0.5, num_rounds=2
)
NUM_WEIGHTS = 2 * 6 + 2 * 36 + 6 * 3
ROLES = METHOD.partition.roles


def trained(method, schedule, num_steps, **settings):
  """All states of a short training, the first included."""
  optimizer = train.make_optimizer(1e-2)
  if schedule is not None:
    optimizer = meta.with_pruning(
      optimizer, method, schedule, key=KEY, **settings
    )
  objective = meta.post_adaptation(method, AS_CONTEXT)
  step = jax.jit(train.make_train_step(objective, optimizer))
  states = [train.init_state(KEY, method.init(KEY), optimizer)]
  for _ in range(num_steps):
    states.append(step(states[-1], IMAGES)[0])
  return states


@pytest.fixture(scope="module")
def states():
  return trained(METHOD, SCHEDULE, SCHEDULE.num_steps)


def count(state):
  return pruning.survivors(state.params.mask, ROLES, ("weight",)).prunable


def test_pruning_follows_its_schedule(states):
  # Fails if a round is early, late, repeated, or takes another share.
  half, quarter = NUM_WEIGHTS // 2, round(NUM_WEIGHTS / 4)
  assert [count(s) for s in states] == [NUM_WEIGHTS] * 4 + [half] * 2 + [
    quarter
  ] * 2


def test_the_smallest_magnitudes_of_the_trained_weights_go(states):
  # Fails if scores come from the initial weights, or the gradients.
  before, after = states[3].params, states[4].params
  weights = lambda tree: np.concatenate(  # noqa: E731
    [np.ravel(leaves["w"]) for leaves in tree.values()]
  )
  kept = weights(after.mask) != 0
  magnitude = np.abs(weights(before.fast))
  assert magnitude[~kept].max() <= magnitude[kept].min()


def test_pruned_weights_are_exactly_zero_to_the_end(states):
  # Fails if Adam's moments move a weight after it has been pruned.
  for state in states[4:]:
    for values, mask in zip(
      jax.tree.leaves(state.params.fast),
      jax.tree.leaves(state.params.mask),
      strict=True,
    ):
      assert not np.any(np.asarray(values)[np.asarray(mask) == 0])
      assert np.any(np.asarray(values)[np.asarray(mask) != 0])


def test_fitting_with_adam_keeps_the_zeros_and_moves_the_rest(states):
  # Fails if a masked weight leaks through the inner steps or Adam's moments.
  outer = states[-1].params
  method = dataclasses.replace(METHOD, link=links.adam(1e-2), num_steps=5)
  found = jax.jit(method.adapt)(KEY, outer, {}, AS_CONTEXT(IMAGES[0]))
  for values, mask, start in zip(
    *map(jax.tree.leaves, (found.fast, outer.mask, outer.fast)), strict=True
  ):
    pruned_away = np.asarray(mask) == 0
    assert not np.any(np.asarray(values)[pruned_away])
    assert np.any(np.asarray(values != start)[~pruned_away])
  assert found.losses.shape == (6,) and found.losses[-1] < found.losses[0]


@pytest.mark.parametrize(("ratio", "rounds"), [(0.0, 2), (0.5, 0)])
def test_pruning_nothing_is_maml(ratio, rounds):
  # Fails if the mask or the wrapper changes the update of what is kept.
  schedule = sparsity.Schedule(1, 1, ratio, rounds)
  found = trained(METHOD, schedule, 3)[-1].params
  expected = trained(DENSE, None, 3)[-1].params
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
    found.fast,
    expected.fast,
  )


def test_chance_and_magnitude_keep_different_weights(states):
  other = trained(METHOD, SCHEDULE, 4, score=pruning.chance)[-1]
  assert count(other) == count(states[4])
  assert any(
    np.any(a != b)
    for a, b in zip(
      jax.tree.leaves(other.params.mask),
      jax.tree.leaves(states[4].params.mask),
      strict=True,
    )
  )


def test_methods_without_a_mask_are_refused():
  with pytest.raises(ValueError, match="full_mask"):
    meta.with_pruning(optax.sgd(1.0), DENSE, SCHEDULE, key=KEY)


def test_roles_that_are_not_adapted_are_refused():
  with pytest.raises(ValueError, match="modulation"):
    meta.with_pruning(
      optax.sgd(1.0), METHOD, SCHEDULE, pruned_roles=("modulation",), key=KEY
    )


def fitted(num_kept, **settings):
  method = dataclasses.replace(METHOD, link=links.adam(1e-2), num_steps=3)
  outer = METHOD.init(KEY)
  fit = jax.jit(
    lambda context: meta.fit_pruned(
      method, KEY, outer, context, num_kept=num_kept, **settings
    )
  )
  return outer, fit(AS_CONTEXT(IMAGES[0]))


def test_iterative_pruning_of_one_signal():
  # Fails if a round is skipped, or the mask is not the signal's own.
  _, (adapted, mask, parts) = fitted((60, 30))
  assert adapted.losses.shape == (3, 4)
  assert pruning.survivors(mask, ROLES, ("weight",)).prunable == 30
  for values, kept in zip(
    jax.tree.leaves(adapted.fast), jax.tree.leaves(mask), strict=True
  ):
    assert not np.any(np.asarray(values)[np.asarray(kept) == 0])
  np.testing.assert_array_less(adapted.losses[:, -1], adapted.losses[:, 0])
  # Fails if parts are reported with another part's pattern.
  for count, kept in enumerate((None, 60, 30)):
    part = jax.tree.map(lambda x, i=count: x[i] != 0, parts)
    left = pruning.survivors(part, ROLES, ("weight",)).prunable
    assert kept is None or left == kept
  jax.tree.map(
    lambda x, last: np.testing.assert_array_equal(x[-1], last),
    parts,
    adapted.fast,
  )


def test_without_rounds_it_is_the_plain_fit():
  outer, (adapted, mask, _) = fitted(())
  method = dataclasses.replace(METHOD, link=links.adam(1e-2), num_steps=3)
  expected = method.adapt(KEY, outer, {}, AS_CONTEXT(IMAGES[0]))
  np.testing.assert_allclose(adapted.losses[0], expected.losses, rtol=1e-5)
  assert all(np.all(m == 1) for m in jax.tree.leaves(mask))


def test_pruning_at_the_start_keeps_what_the_loss_feels_most():
  outer, (adapted, mask, parts) = fitted((30,), at_start=saliency.SNIP())
  context = AS_CONTEXT(IMAGES[0])

  def loss_fn(params):
    values = METHOD.apply({}, params, context.coords)
    return jnp.mean(jnp.square(values - context.values))

  felt = jax.tree.map(
    lambda g, w: jnp.abs(g * w), jax.grad(loss_fn)(outer.fast), outer.fast
  )
  expected = pruning.keep_largest(
    jax.tree.map(jnp.ones_like, outer.fast),
    felt,
    30,
    roles=ROLES,
    pruned_roles=("weight",),
  )
  # Fails if scores and parameters are paired wrongly, or biases are pruned.
  jax.tree.map(np.testing.assert_array_equal, mask, expected)
  # One part, which begins from the pruned start and keeps its zeros.
  assert adapted.losses.shape == (1, 4)
  for values, kept in zip(
    jax.tree.leaves(parts), jax.tree.leaves(mask), strict=True
  ):
    assert not np.any(np.asarray(values)[0][np.asarray(kept) == 0])
  with pytest.raises(ValueError, match="one number"):
    fitted((30, 20), at_start=saliency.SNIP())


def test_pruning_at_the_start_looks_at_what_is_left():
  # Fails if inner steps move what the mask has removed, or do not see that it
  # is gone; or if scores that are not finite leave an empty network.
  outer = METHOD.init(KEY)
  half = pruning.keep_largest(
    jax.tree.map(jnp.ones_like, outer.fast),
    pruning.magnitude(KEY, outer.fast),
    60,
    roles=ROLES,
    pruned_roles=("weight",),
  )
  context = AS_CONTEXT(IMAGES[0])

  def found(outer, rate):
    return pruned.mask_at_start(
      dataclasses.replace(METHOD, point_tile=20),
      KEY,
      outer,
      context,
      saliency=prospr.ProsPr(optax.sgd(rate), 2),
      num_kept=20,
    )

  zeros = jax.tree.map(jnp.multiply, half, outer.fast)
  masked = found(outer._replace(mask=half), 1e-2)
  cut = found(outer._replace(fast=zeros, mask=half), 1e-2)
  jax.tree.map(np.testing.assert_array_equal, masked, cut)
  assert pruning.survivors(masked, ROLES, ("weight",)).prunable == 20
  lost = found(outer._replace(mask=half), jnp.inf)
  assert all(np.all(np.isnan(leaf)) for leaf in jax.tree.leaves(lost))
  gated = dataclasses.replace(METHOD, gates=meta.Gates())
  with pytest.raises(ValueError, match="gates"):
    pruned.mask_at_start(
      gated, KEY, outer, context, saliency=saliency.SNIP(), num_kept=3
    )


@pytest.mark.parametrize("num_kept", [(10, 30), (30, 30), (30, 0), (-3,)])
def test_rounds_that_cannot_be_are_refused(num_kept):
  with pytest.raises(ValueError, match="must fall and stay positive"):
    fitted(num_kept)


def test_rewinding_begins_each_part_anew():
  # Fails if the parts of a winning-ticket search go on from each other.
  outer, (adapted, mask, _) = fitted((60,), after_round=pruned.rewind)
  masked = METHOD.apply(
    {},
    jax.tree.map(jnp.multiply, mask, outer.fast),
    AS_CONTEXT(IMAGES[0]).coords,
  )
  values = IMAGES[0].reshape(-1, 3)
  np.testing.assert_allclose(
    adapted.losses[1, 0], jnp.mean((masked - values) ** 2), rtol=1e-4
  )


def gated(on, **settings):
  gates = meta.Gates(on=on, initial_log_alpha=2.5, **settings)
  return meta.maml(network=SIREN, rates=RATES, gates=gates)


def closed(outer):
  """The gates of half of the first layer's weights closed."""
  low, _ = sparsity.LOG_ALPHA_RANGE
  log_alpha = {m: dict(leaves) for m, leaves in outer.log_alpha.items()}
  w = log_alpha["first"]["w"]
  log_alpha["first"]["w"] = w.at[0].set(low)
  return outer._replace(log_alpha=log_alpha)


def context():
  return Context(AS_CONTEXT(IMAGES[0]).coords, IMAGES[0].reshape(-1, 3))


def test_gates_on_updates_leave_closed_weights_where_they_started():
  # Fails if the weight itself is gated (eq. 9 gates its change).
  method = gated("updates")
  outer = closed(method.init(KEY))
  found = jax.jit(method.adapt)(KEY, outer, {}, context()).fast["first"]["w"]
  start = outer.fast["first"]["w"]
  np.testing.assert_array_equal(found[0], start[0])
  assert np.all(found[1] != start[1]) and np.all(start[0] != 0)


def test_gates_on_values_make_a_sparse_network():
  # Fails if only the change is gated (appendix C gates theta0 + delta).
  method = gated("values")
  outer = closed(method.init(KEY))
  found = jax.jit(method.adapt)(KEY, outer, {}, context()).fast["first"]["w"]
  assert not np.any(found[0]) and np.all(found[1])


def test_open_gates_on_updates_are_maml():
  wide = sparsity.HardConcrete(log_alpha_range=(-50.0, 50.0))
  gates = meta.Gates(on="updates", distribution=wide, initial_log_alpha=40.0)
  method = meta.maml(network=SIREN, rates=RATES, gates=gates)
  outer = method.init(KEY)
  for noise in ({}, method.noise(KEY)):
    found = jax.jit(method.adapt)(KEY, outer, noise, context())
    expected = jax.jit(DENSE.adapt)(KEY, DENSE.init(KEY), {}, context())
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5)


def test_unit_gates_share_one_sample():
  # Fails if each weight of a unit draws its own noise.
  method = gated("values", grouping=sparsity.PerUnit())
  outer = method.init(KEY)
  assert method.expected_l0(outer, {}) < 18
  noise = method.noise(KEY)
  assert noise["first"]["unit"].shape == (6,)


def test_a_fit_goes_on_from_a_state():
  # Fails if `start` is taken for gated values, or ignored.
  method = gated("values", adapt_rate=1.0)
  outer = method.init(KEY)
  twice = dataclasses.replace(method, num_steps=4)
  whole = jax.jit(twice.adapt)(KEY, outer, {}, context())
  first = jax.jit(method.adapt)(KEY, outer, {}, context())
  second = method.adapt(KEY, outer, {}, context(), start=first.state)
  np.testing.assert_allclose(second.losses[-1], whole.losses[-1], rtol=1e-5)


def test_gates_on_updates_cannot_be_adapted():
  with pytest.raises(ValueError, match="adapt_rate"):
    meta.Gates(on="updates", adapt_rate=0.1)
  with pytest.raises(ValueError, match="'inputs'"):
    meta.Gates(on="inputs")


def test_a_mask_of_another_network_is_refused():
  outer = METHOD.init(KEY)
  mask = {"first": outer.mask["first"]}
  with pytest.raises(ValueError, match="another network"):
    METHOD.adapt(KEY, outer._replace(mask=mask), {}, context())
