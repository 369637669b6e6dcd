"""One outer step: gradient, update, and a guard against what is not finite."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import chex
import jax
import jax.numpy as jnp
import optax

from inrjax import types


class TrainState(NamedTuple):
  """All that training changes.

  Attributes:
    step: `[]` int32, number of updates done.
    params: what the outer optimiser learns.
    opt_state: the optimiser's state.
    carry: state of the objective that is not differentiated, such as a
      controller of a penalty's weight.
    key: the run's random key; the key of a step is `fold_in(key, step)`.
  """

  step: types.Array
  params: types.PyTree
  opt_state: optax.OptState
  carry: types.PyTree
  key: types.Array


class Objective(Protocol):
  """The outer objective, averaged over a batch."""

  def __call__(
    self,
    key: types.Array,
    params: types.PyTree,
    carry: types.PyTree,
    batch: types.PyTree,
  ) -> tuple[types.Array, tuple[types.Metrics, types.PyTree]]:
    """`(loss [], ({name: []}, carry))` of a batch with leading axis B."""


StepFn = Callable[[TrainState, types.PyTree], tuple[TrainState, types.Metrics]]
TreeFn = Callable[[types.PyTree], types.PyTree]

# The names the step itself adds to an objective's metrics.
LOSS = "loss"
GRAD_NORM = "grad_norm"
FINITE = "finite"


def init_state(
  key: types.Array,
  params: types.PyTree,
  optimizer: optax.GradientTransformation,
  *,
  carry: types.PyTree = (),
) -> TrainState:
  """The state before the first step.

  Args:
    key: the run's random key.
    params: initial parameters.
    optimizer: the outer optimiser.
    carry: the objective's initial state.

  Returns:
    The state at step 0.
  """
  params, carry = jax.tree.map(_strongly_typed, (params, carry))
  return TrainState(
    jnp.zeros((), jnp.int32), params, optimizer.init(params), carry, key
  )


def make_train_step(
  objective: Objective,
  optimizer: optax.GradientTransformation,
  *,
  reduce_fn: TreeFn = lambda tree: tree,
  key_fn: Callable[[types.Array], types.Array] = lambda key: key,
) -> StepFn:
  """A pure training step; `jit` or `pmap` belongs around it.

  A step whose loss, gradient, update or carry is not finite returns the state
  it was given (its step number too), so no such value reaches the parameters
  however late the host looks at `metrics["finite"]`.

  Args:
    objective: the outer objective.
    optimizer: the outer optimiser.
    reduce_fn: averages a tree over devices; `parallel` supplies it.
    key_fn: turns the step's key into this device's.

  Returns:
    `step_fn(state, batch) -> (state, metrics)`. Metrics are the objective's,
    "loss", "grad_norm" (Euclidean, before the optimiser) and "finite" (1 or 0).
  """

  def step_fn(
    state: TrainState, batch: types.PyTree
  ) -> tuple[TrainState, types.Metrics]:
    key = key_fn(jax.random.fold_in(state.key, state.step))

    def loss_fn(
      params: types.PyTree,
    ) -> tuple[types.Array, tuple[types.Metrics, types.PyTree]]:
      return objective(key, params, state.carry, batch)

    (loss, (metrics, carry)), grads = jax.value_and_grad(loss_fn, has_aux=True)(
      state.params
    )
    chex.assert_rank([loss, *metrics.values()], 0)
    chex.assert_trees_all_equal_shapes_and_dtypes(carry, state.carry)
    loss, grads, metrics, carry = reduce_fn((loss, grads, metrics, carry))
    grad_norm = optax.tree.norm(grads)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    finite = _all_finite((loss, grad_norm, params, opt_state, carry))
    ahead = TrainState(state.step + 1, params, opt_state, carry, state.key)
    state = jax.tree.map(
      lambda new, old: jnp.where(finite, new, old), ahead, state
    )
    return state, metrics | {
      LOSS: loss,
      GRAD_NORM: grad_norm,
      FINITE: finite.astype(jnp.float32),
    }

  return step_fn


def _strongly_typed(leaf: types.Array | float) -> types.Array:
  """The array; a weak type would change in the first step: compiled twice."""
  return jnp.asarray(leaf, dtype=jnp.result_type(leaf))


def _all_finite(tree: types.PyTree) -> types.Array:
  return jnp.all(
    jnp.stack(
      [
        jnp.all(jnp.isfinite(leaf))
        for leaf in jax.tree.leaves(tree)
        if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
      ]
    )
  )
