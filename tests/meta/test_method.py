"""Methods as values: what is learned, what is adapted, what is gated."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import adapt, coords, meta, networks, sparsity
from inrjax.adapt import gradient, links
from inrjax.types import Context

KEY = jax.random.key(0)
SIREN = networks.SirenConfig(depth=3, width=6, w0=4.0, modulate=("shift",))
RATES = meta.InnerRates(0.05, 0.2, clip=(0.0, 1.0))
FIXED = meta.InnerRates(0.2, 0.2)


def contexts(num_signals=2):
  generator = np.random.default_rng(0)
  points = jnp.asarray(generator.uniform(-1, 1, (9, 2)), jnp.float32)
  values = generator.uniform(0, 1, (num_signals, 9, 3))
  return [Context(points, jnp.asarray(v, jnp.float32)) for v in values]


def mscn(**changes):
  gates = meta.Gates(**changes)
  return meta.modulated(network=SIREN, rates=RATES, gates=gates)


def adapted(method, outer, noise, context):
  return jax.jit(method.adapt)(KEY, outer, noise, context)


def test_coinpp_adapts_a_latent_and_learns_all_else():
  # Fails if the latent is a shared parameter, or its start is learned.
  method = meta.modulated(
    network=dataclasses.replace(SIREN, latent_dim=4), rates=FIXED
  )
  outer = method.init(KEY)
  assert outer.fast == {} and outer.meta == {} and outer.log_alpha == {}
  found = adapted(method, outer, {}, contexts()[0])
  assert jax.tree.map(np.shape, found.fast) == {"~": {"latent": (4,)}}
  assert "latent_map_shift" in outer.shared
  assert found.losses.shape == (4,) and found.losses[-1] < found.losses[0]


def test_maml_adapts_everything_from_a_learned_start():
  # Fails if MAML starts from zero, or a copy of what is fast stays shared.
  plain = dataclasses.replace(SIREN, modulate=())
  method = meta.maml(network=plain, rates=FIXED)
  outer = method.init(KEY)
  assert outer.shared == {}
  params = networks.make_siren(plain).init(jax.random.split(KEY)[0])
  jax.tree.map(np.testing.assert_array_equal, outer.fast, params)
  found = adapted(method, outer, {}, contexts()[0])
  assert jax.tree.structure(found.fast) == jax.tree.structure(params)
  assert found.losses.shape == (3,) and found.losses[-1] < found.losses[0]


def test_method_is_its_inner_loop():
  # Fails if the method starts elsewhere, joins the halves wrongly, or uses
  # another loss.
  method = meta.modulated(network=SIREN, rates=FIXED, num_steps=2)
  outer, context = method.init(KEY), contexts()[0]
  network = networks.make_siren(SIREN)

  def loss_fn(shift):
    params = outer.shared | {"~": outer.shared["~"] | {"shift": shift}}
    return jnp.mean(
      (network.apply(params, context.coords) - context.values) ** 2
    )

  shift = jnp.zeros((3, 6))
  for _ in range(2):
    shift = shift - 0.2 * jax.grad(loss_fn)(shift)
  found = adapted(method, outer, {}, context)
  np.testing.assert_allclose(found.fast["~"]["shift"], shift, atol=1e-6)
  np.testing.assert_allclose(found.losses[-1], loss_fn(shift), rtol=1e-5)


def test_rates_are_drawn_from_their_range():
  # Fails if all rates are one number, or the range is the clip range.
  outer = mscn().init(KEY)
  rates = outer.meta["learning_rates"]["~"]["shift"]
  assert 0.05 <= rates.min() < 0.1 and 0.15 < rates.max() <= 0.2


def test_more_steps_at_test_time_than_in_training():
  # Fails if steps are baked into what was learned, or the first differ.
  method = meta.modulated(network=SIREN, rates=RATES, num_steps=3)
  outer = method.init(KEY)
  few = adapted(method, outer, {}, contexts()[0])
  longer = dataclasses.replace(method, num_steps=10)
  many = adapted(longer, outer, {}, contexts()[0])
  np.testing.assert_allclose(many.losses[:4], few.losses, rtol=1e-4)
  assert many.losses[-1] < few.losses[-1]


def test_open_gates_are_the_dense_method():
  # Fails if a gate touches more than what it multiplies.
  wide = sparsity.HardConcrete(log_alpha_range=(-50.0, 50.0))
  gated = mscn(distribution=wide, initial_log_alpha=40.0)
  dense = meta.modulated(network=SIREN, rates=RATES)
  outer = gated.init(KEY)
  for noise in ({}, gated.noise(KEY)):
    found = adapted(gated, outer, noise, contexts()[0])
    expected = adapted(dense, outer, {}, contexts()[0])
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
      found,
      expected,
    )


def closed_first_layer(outer):
  """Log alpha with the first layer's gates at the lower end of their range."""
  low, _ = sparsity.LOG_ALPHA_RANGE
  log_alpha = outer.log_alpha["~"]["shift"].at[0].set(low)
  return outer._replace(log_alpha={"~": {"shift": log_alpha}})


def test_closed_gates_leave_exact_zeros():
  # Fails if the loop's raw state is returned, without its gates.
  method = mscn(initial_log_alpha=4.0)
  outer = closed_first_layer(method.init(KEY))
  shift = adapted(method, outer, {}, contexts()[0]).fast["~"]["shift"]
  assert not np.any(shift[0]) and np.all(shift[1:])


def test_last_loss_is_that_of_the_gated_parameters():
  # Fails if the gates are applied twice, or not at all, where it is evaluated.
  method = mscn(initial_log_alpha=0.1)
  outer, context = method.init(KEY), contexts()[0]
  for noise in ({}, method.noise(KEY)):
    found = adapted(method, outer, noise, context)
    prediction = method.apply(outer.shared, found.fast, context.coords)
    np.testing.assert_allclose(
      found.losses[-1],
      adapt.squared_error(prediction, context.values),
      rtol=1e-5,
    )


def test_one_pattern_is_shared_by_all_signals():
  # Fails if the shared pattern depends on the signal: it is not transmitted.
  method = mscn()
  outer, noise = method.init(KEY), method.noise(jax.random.key(3))
  patterns = [
    np.asarray(adapted(method, outer, noise, c).fast["~"]["shift"]) != 0
    for c in contexts()
  ]
  assert 0 < patterns[0].sum() < patterns[0].size
  np.testing.assert_array_equal(*patterns)


@pytest.mark.parametrize(
  ("adapt_rate", "differ"), [(0.0, False), (300.0, True)]
)
def test_patterns_differ_where_they_are_adapted_per_signal(adapt_rate, differ):
  # Fails if log alpha is left out of the inner loop (MSCN eq. 8), or always in.
  # The steps are large enough to overshoot, so that gates close again.
  method = meta.modulated(
    network=SIREN,
    rates=meta.InnerRates(10.0, 10.0),
    num_steps=5,
    gates=meta.Gates(adapt_rate=adapt_rate),
  )
  outer = method.init(KEY)
  patterns = [
    np.asarray(adapted(method, outer, {}, c).fast["~"]["shift"]) != 0
    for c in contexts()
  ]
  assert (patterns[0] != patterns[1]).any() == differ


@pytest.mark.parametrize("adapt_rate", [0.0, 0.5])
def test_gates_and_rates_have_the_gradient_of_reverse_mode(adapt_rate):
  # Fails if a cotangent of the gates or their noise is lost in mixed mode.
  with jax.enable_x64(True):
    mixed = mscn(initial_log_alpha=0.1, adapt_rate=adapt_rate)
    reverse = dataclasses.replace(mixed, gradient=gradient.reverse)
    cast = lambda tree: jax.tree.map(lambda x: x.astype(jnp.float64), tree)  # noqa: E731
    outer, noise = cast(mixed.init(KEY)), cast(mixed.noise(KEY))
    context = cast(contexts()[0])

    def gradient_of(method):
      return jax.jit(
        jax.grad(lambda o: method.adapt(KEY, o, noise, context).losses[-1])
      )(outer)

    found, expected = gradient_of(mixed), gradient_of(reverse)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-13),
    found,
    expected,
  )
  for leaf in jax.tree.leaves(expected):
    assert np.any(leaf)


def test_first_use_may_be_inside_a_trace():
  # Fails if what the method keeps holds a tracer of the function that asked.
  method = mscn()
  outer = jax.jit(method.init)(KEY)
  first = jax.jit(method.noise)(KEY)
  jax.tree.map(np.testing.assert_array_equal, first, method.noise(KEY))
  adapted(method, outer, {}, contexts()[0])


@pytest.mark.parametrize(
  "changes",
  [
    {"num_steps": 4},
    {"gradient": gradient.first_order},
    {"select": coords.random_points(3)},
    {"ema_decay": 0.5},
    {"gates": None},
    {"gates": meta.Gates(adapt_rate=0.1)},
    {"gates": meta.Gates(distribution=sparsity.HardConcrete(beta=0.5))},
    {"gates": meta.Gates(initial_log_alpha=0.5)},
    {"link": links.sgd(0.1)},
    {"link": links.meta_sgd(clip=(0.0, 0.5))},
    {"start": meta.learned_start},
    {"init_meta": meta.UniformRates(0.1, 0.3)},
  ],
  ids=lambda changes: next(iter(changes)),
)
def test_every_choice_changes_the_program(changes):
  # Fails if a choice of the method is dead.
  def program(method):
    def run(key):
      outer, noise = method.init(key), method.noise(key)

      def outer_loss(outer):
        return method.adapt(key, outer, noise, contexts()[0]).losses[-1]

      return jax.grad(outer_loss)(outer)

    return jax.jit(run).lower(KEY).as_text()

  method = mscn()
  assert program(dataclasses.replace(method, **changes)) != program(method)


@pytest.mark.parametrize(
  "arguments",
  [(0.0, 0.1, None), (0.2, 0.1, (0.0, 1.0)), (0.1, 0.2, None)],
)
def test_impossible_rates_are_refused(arguments):
  with pytest.raises(ValueError, match="rates"):
    meta.InnerRates(*arguments)


def test_a_method_without_anything_fast_is_refused():
  plain = dataclasses.replace(SIREN, modulate=())
  with pytest.raises(ValueError, match="modulate"):
    meta.modulated(network=plain, rates=FIXED).init(KEY)


PLAIN = dataclasses.replace(SIREN, modulate=())


def outer_gradient(method, outer, context):
  return jax.jit(
    jax.value_and_grad(lambda o: method.adapt(KEY, o, {}, context).losses[-1])
  )(outer)


def test_meta_sgd_with_equal_rates_is_maml():
  # Fails if learned rates change what the start's gradient is.
  learned = meta.maml(
    network=PLAIN, rates=meta.InnerRates(0.2, 0.2, clip=(0.0, 1.0))
  )
  fixed = meta.maml(network=PLAIN, rates=FIXED)
  outer, context = learned.init(KEY), contexts()[0]
  loss, grads = outer_gradient(learned, outer, context)
  plain_loss, plain = outer_gradient(fixed, fixed.init(KEY), context)
  np.testing.assert_allclose(loss, plain_loss, rtol=1e-6)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
    grads.fast,
    plain.fast,
  )
  assert jax.tree.leaves(grads.meta) and not jax.tree.leaves(plain.meta)


def test_the_gradient_through_steps_over_weights_is_a_finite_difference():
  # Fails if a second derivative of the weights is dropped (FOMAML's is).
  with jax.enable_x64(True):
    cast = lambda tree: jax.tree.map(lambda x: x.astype(jnp.float64), tree)  # noqa: E731
    method = meta.maml(network=PLAIN, rates=FIXED)
    outer, context = cast(method.init(KEY)), cast(contexts()[0])
    _, grads = outer_gradient(method, outer, context)
    first = dataclasses.replace(method, gradient=gradient.first_order)
    _, first_order = outer_gradient(first, outer, context)
    rng = np.random.default_rng(0)
    along = jax.tree.map(lambda x: rng.normal(size=x.shape), outer.fast)
    loss = jax.jit(
      lambda fast: method.adapt(
        KEY, outer._replace(fast=fast), {}, context
      ).losses[-1]
    )
    ahead, behind = (
      loss(jax.tree.map(lambda x, d, e=e: x + e * d, outer.fast, along))
      for e in (1e-6, -1e-6)
    )
    dot = lambda tree: sum(  # noqa: E731
      jax.tree.leaves(jax.tree.map(jnp.vdot, tree.fast, along))
    )
    difference = (ahead - behind) / 2e-6
    np.testing.assert_allclose(dot(grads), difference, rtol=1e-6)
    assert abs(dot(first_order) / difference - 1) > 1e-3


@pytest.mark.parametrize(
  "grouping", [sparsity.PerParameter(("weight",)), sparsity.PerUnit()]
)
def test_open_gates_on_values_are_the_dense_network(grouping):
  # Fails if an open gate scales what it lets through.
  gates = meta.Gates(initial_log_alpha=4.0, on="values", grouping=grouping)
  gated = meta.maml(network=PLAIN, rates=FIXED, gates=gates)
  dense = meta.maml(network=PLAIN, rates=FIXED)
  context = contexts()[0]
  found = adapted(gated, gated.init(KEY), {}, context)
  expected = adapted(dense, dense.init(KEY), {}, context)
  np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-6)


@pytest.mark.parametrize(
  ("tile", "pruned"), [(4, False), (None, True)], ids=["tiled", "pruned"]
)
def test_what_is_missing_is_as_if_it_were_not_in_the_context(tile, pruned):
  # Fails if a fit, its losses or the outer gradient see what is missing, or
  # tiles with few values weigh as much as full ones.
  network = dataclasses.replace(SIREN, depth=1)
  method = dataclasses.replace(
    meta.modulated(network=network, rates=RATES, num_steps=1), point_tile=tile
  )
  if pruned:
    choose = coords.top_error(method.apply, num_points=4)
    method = dataclasses.replace(method, select=choose)
  outer, whole = method.init(KEY), contexts()[0]
  there = np.array([1, 1, 0, 0, 0, 1, 1, 1, 0], bool)
  few = Context(whole.coords[there], whole.values[there])
  holed = coords.masked_context(
    whole.coords, jnp.where(there[:, None], whole.values, jnp.nan)
  )

  def loss(outer, context):
    found = method.adapt(KEY, outer, {}, context)
    return found.losses[-1], found

  both = [jax.jit(jax.grad(loss, has_aux=True))(outer, c) for c in (few, holed)]
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6), *both
  )
