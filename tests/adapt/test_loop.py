"""The inner loop against one written out by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax import adapt, coords
from inrjax.adapt import gradient, links
from inrjax.types import Context
from tests.adapt import problems

MODES = (gradient.mixed_mode, gradient.reverse)


def by_hand(shared, fast, context, *, num_steps, rate, ema=None):
  """Iterates, losses and averages of plain gradient descent."""
  value_and_grad = jax.jit(jax.value_and_grad(problems.loss_fn, argnums=1))
  average, losses = fast, []
  for _ in range(num_steps):
    loss, grads = value_and_grad(shared, fast, context)
    losses.append(loss)
    fast = jax.tree.map(lambda x, g: x - rate * g, fast, grads)
    if ema is not None:
      average = jax.tree.map(
        lambda new, old: ema * new + (1 - ema) * old, fast, average
      )
  result = fast if ema is None else average
  return result, jnp.stack([*losses, problems.loss_fn(shared, result, context)])


@pytest.mark.parametrize("num_steps", [0, 1, 3, 10])
@pytest.mark.parametrize("ema", [None, 0.7])
def test_loop_is_the_loop_by_hand(num_steps, ema):
  # Fails if a loss is that of the step before, the average starts from zero,
  # or alpha and 1 - alpha are exchanged (MSCN D.2).
  shared, fast, context = problems.problem()
  loop = adapt.make_adapt(
    problems.loss_fn, links.sgd(0.3), num_steps=num_steps, ema_decay=ema
  )
  found = loop(problems.KEY, shared, fast, {}, context)
  expected, losses = by_hand(
    shared, fast, context, num_steps=num_steps, rate=0.3, ema=ema
  )
  problems.assert_close(found.fast, expected, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(found.losses, losses, rtol=1e-5)


def test_ema_of_one_is_the_last_iterate():
  shared, fast, context = problems.problem()
  run = functools.partial(
    adapt.make_adapt, problems.loss_fn, links.sgd(0.3), num_steps=3
  )
  arguments = (problems.KEY, shared, fast, {}, context)
  problems.assert_close(
    run(ema_decay=1.0)(*arguments), run()(*arguments), rtol=1e-6
  )


def test_steps_reduce_the_loss():
  shared, fast, context = problems.problem()
  loop = adapt.make_adapt(problems.loss_fn, links.sgd(0.2), num_steps=20)
  losses = loop(problems.KEY, shared, fast, {}, context).losses
  assert losses[-1] < 0.8 * losses[0]


def test_state_of_a_link_is_carried():
  # Fails if each step starts the link anew.
  shared, fast, context = problems.problem()
  adam = optax.with_extra_args_support(optax.adam(0.05))
  found = adapt.make_adapt(problems.loss_fn, adam, num_steps=4)(
    problems.KEY, shared, fast, {}, context
  )
  state = adam.init(fast)
  for _ in range(4):
    grads = jax.grad(problems.loss_fn, argnums=1)(shared, fast, context)
    updates, state = adam.update(grads, state, fast)
    fast = optax.apply_updates(fast, updates)
  problems.assert_close(found.fast, fast, rtol=1e-4, atol=1e-6)


def outer_gradient(mode, dtype, num_steps, ema=None):
  """Of everything: shared, start, rates, context."""
  shared, fast, context = problems.problem(dtype)
  meta = {"learning_rates": jax.tree.map(lambda x: x * 0 + 0.3, fast)}
  loop = adapt.make_adapt(
    problems.loss_fn,
    links.meta_sgd(),
    num_steps=num_steps,
    gradient=mode,
    ema_decay=ema,
  )

  def outer(shared, fast, meta, context):
    return loop(problems.KEY, shared, fast, meta, context).losses[-1]

  return jax.jit(jax.grad(outer, argnums=(0, 1, 2, 3)))(
    shared, fast, meta, context
  )


@pytest.mark.parametrize(("num_steps", "ema"), [(1, None), (4, None), (3, 0.6)])
def test_mixed_mode_is_reverse_over_reverse_through_the_loop(num_steps, ema):
  # Fails if second-order terms of any argument are lost.
  with jax.enable_x64(True):
    mixed, reverse = (
      outer_gradient(mode, jnp.float64, num_steps, ema) for mode in MODES
    )
    first = outer_gradient(gradient.first_order, jnp.float64, num_steps, ema)
  problems.assert_close(mixed, reverse, rtol=1e-8, atol=1e-14)
  # The second order is there to be lost.
  latent_map = [g[0]["latent_map_shift"]["w"] for g in (mixed, first)]
  assert np.linalg.norm(latent_map[0] - latent_map[1]) > 1e-3 * np.linalg.norm(
    latent_map[0]
  )


@pytest.mark.parametrize("mode", MODES)
def test_float32_has_the_gradient_of_float64(mode):
  # Fails if the fast sine, which float64 does not use, loses its second
  # derivative inside the stack of layers or the loop.
  single = outer_gradient(mode, jnp.float32, 3)
  with jax.enable_x64(True):
    double = outer_gradient(gradient.reverse, jnp.float64, 3)
  for one, other in zip(
    jax.tree.leaves(single), jax.tree.leaves(double), strict=True
  ):
    difference = np.asarray(one) - np.asarray(other)
    assert np.linalg.norm(difference) < 1e-4 * np.linalg.norm(other)


def test_first_order_is_the_gradient_at_the_adapted_point():
  # Fails if second-order terms stay (FOMAML); either way to say it.
  shared, fast, context = problems.problem()
  for link, mode in (
    (links.sgd(0.3), gradient.first_order),
    (optax.chain(links.stop_gradients(), links.sgd(0.3)), gradient.mixed_mode),
  ):
    loop = adapt.make_adapt(problems.loss_fn, link, num_steps=3, gradient=mode)

    def outer(shared, fast, loop=loop):
      return loop(problems.KEY, shared, fast, {}, context).losses[-1]

    found = jax.jit(jax.grad(outer, argnums=(0, 1)))(shared, fast)
    adapted = loop(problems.KEY, shared, fast, {}, context).fast
    expected = jax.jit(jax.grad(problems.loss_fn, argnums=(0, 1)))(
      shared, adapted, context
    )
    problems.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def temporaries(mode, num_steps, select=coords.full_context):
  shared, fast, context = problems.problem(num_points=2000)
  loop = adapt.make_adapt(
    problems.loss_fn,
    links.sgd(0.3),
    num_steps=num_steps,
    gradient=mode,
    select=select,
  )

  def outer(shared):
    return loop(problems.KEY, shared, fast, {}, context).losses[-1]

  compiled = jax.jit(jax.grad(outer)).lower(shared).compile()
  return compiled.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("name", ["mixed_mode", "reverse"])
def test_memory_does_not_grow_with_the_steps(name):
  # Fails if an inner step's activations outlive it: one step has 2000 x 6
  # float32 numbers in each of its layers.
  mode = getattr(gradient, name)
  few, many = (temporaries(mode, n) for n in (2, 20))
  assert many - few < 2000 * 6 * 4


def test_selected_points_are_not_stored():
  # Fails if what a step selected outlives it: 1000 points of 20 bytes.
  select = coords.random_points(1000)
  few, many = (
    temporaries(gradient.mixed_mode, n, select=select) for n in (2, 20)
  )
  assert many - few < 1000 * 20


def batch(num_signals):
  """Contexts that differ, and everything else shared."""
  shared, fast, context = problems.problem()
  scales = jnp.linspace(0.2, 1.0, num_signals)[:, None, None]
  tile = jnp.tile(context.coords[None], (num_signals, 1, 1))
  return shared, fast, Context(tile, context.values[None] * scales)


@pytest.mark.parametrize("task_tile", [1, 2, 8])
def test_tiles_are_one_vmap(task_tile):
  # Fails if signals are lost where tiles do not divide the batch, or reordered.
  shared, fast, contexts = batch(5)
  loop = adapt.make_adapt(problems.loss_fn, links.sgd(0.3), num_steps=2)
  keys = jax.random.split(problems.KEY, 5)

  def outer(shared, task_tile):
    def one(key, context):
      return loop(key, shared, fast, {}, context)

    adapted = adapt.over_signals(one, task_tile=task_tile)(keys, contexts)
    return jnp.sum(adapted.losses[:, -1]), adapted

  run = jax.jit(jax.grad(outer, has_aux=True), static_argnums=1)
  grads, found = run(shared, task_tile)
  expected_grads, expected = run(shared, None)
  assert found.losses.shape == (5, 3)
  problems.assert_close(found, expected, rtol=1e-5, atol=1e-6)
  problems.assert_close(grads, expected_grads, rtol=1e-4, atol=1e-5)


def test_select_sees_new_points_at_each_step():
  # Fails if all steps get one key: with one point each, the losses of a loop
  # that does not move would all be the same.
  shared, fast, context = problems.problem()
  loop = adapt.make_adapt(
    problems.loss_fn,
    links.scale(0.0),
    num_steps=5,
    select=coords.random_points(1),
  )
  losses = loop(problems.KEY, shared, fast, {}, context).losses
  assert len(np.unique(losses[:-1])) > 1
  np.testing.assert_allclose(
    losses[-1], problems.loss_fn(shared, fast, context), rtol=1e-6
  )


@pytest.mark.parametrize(
  "changes",
  [
    {"num_steps": 4},
    {"gradient": gradient.first_order},
    {"gradient": gradient.reverse},
    {"select": coords.random_points(3)},
    {"ema_decay": 0.5},
  ],
  ids=lambda changes: next(iter(changes)),
)
def test_every_knob_changes_the_program(changes):
  # Fails if a knob is dead.
  shared, fast, context = problems.problem()

  def program(num_steps=3, **knobs):
    loop = adapt.make_adapt(
      problems.loss_fn, links.sgd(0.3), num_steps=num_steps, **knobs
    )

    def outer(shared):
      return loop(problems.KEY, shared, fast, {}, context).losses[-1]

    return jax.jit(jax.grad(outer)).lower(shared).as_text()

  assert program(**changes) != program()


def test_impossible_values_are_refused():
  for changes in ({"num_steps": -1}, {"ema_decay": 0.0}, {"ema_decay": 1.5}):
    with pytest.raises(ValueError, match=next(iter(changes))):
      adapt.make_adapt(
        problems.loss_fn, links.sgd(0.1), **({"num_steps": 1} | changes)
      )
  with pytest.raises(ValueError, match="task_tile"):
    adapt.over_signals(lambda x: x, task_tile=0)


def test_a_batch_in_place_of_a_signal_is_seen():
  shared, fast, contexts = batch(2)
  loop = adapt.make_adapt(problems.loss_fn, links.sgd(0.3), num_steps=1)
  with pytest.raises(AssertionError):
    loop(problems.KEY, shared, fast, {}, contexts)
