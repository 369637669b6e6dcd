"""Test-time gradients of the scale that training had (ECoP 2.4, B.2).

A start that was learned with the points of highest error has learned to expect
their larger gradients. At test time the full context is used, its gradient
scaled by what that of the pruned one would have been: by the ratio of the two
norms (eq. 6), or of the two losses, which takes no second gradient.

Each function here makes a `gradient` for `make_adapt` and `Method`. The ratio
is a constant to an outer gradient.
"""

import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import tiles
from inrjax.coords import select as select_lib
from inrjax.types import Array, Context, PyTree

# The points that training would have chosen, from the loss of the inner loop.
Pruning = Callable[[gradient_lib.LossFn], select_lib.Select]
_Gradient = Callable[[gradient_lib.LossFn], gradient_lib.GradientFn]


def top_loss(
  ratio: float | None = None,
  *,
  num_points: int | None = None,
  tile: int | None = None,
  recall: float | None = None,
) -> Pruning:
  """The points of highest loss: those of `top_error` for a squared error.

  Args:
    ratio: gamma of training, in (0, 1].
    num_points: K in place of gamma.
    tile: points scored at a time; None scores all at once.
    recall: see `select.top_points`.

  Raises:
    ValueError: see `select.top_points`.
  """

  def pruning(loss_fn: gradient_lib.LossFn) -> select_lib.Select:
    def score(shared: PyTree, fast: PyTree, context: Context) -> Array:
      def of_point(point: Context) -> Array:
        alone = jax.tree.map(lambda x: x[None], point)
        return loss_fn(shared, fast, alone)

      return jax.vmap(of_point)(context)

    return select_lib.top_points(
      select_lib.in_tiles(score, tile),
      ratio,
      num_points=num_points,
      recall=recall,
    )

  # Bad numbers are found here and not when the loop is made.
  pruning(lambda shared, fast, context: jnp.zeros(()))
  return pruning


def as_in_training(select: select_lib.Select) -> Pruning:
  """The points of a `select` that does not draw: it is given no key.

  Args:
    select: what training selected with, `Method.select`.
  """

  def pruning(loss_fn: gradient_lib.LossFn) -> select_lib.Select:
    # A method shows its select the network's parameters, not its loop's state.
    selecting = getattr(inspect.unwrap(loss_fn), "selecting", None)
    return select if selecting is None else selecting(select)

  return pruning


def by_gradient_norm(
  pruning: Pruning, gradient: _Gradient = gradient_lib.first_order
) -> _Gradient:
  """Scales the gradient by ||gradient of pruned|| / ||gradient||, eq. 6.

  The norms are over all that the loop adapts. A gradient of zero stays zero.

  Args:
    pruning: the points that training would have chosen.
    gradient: how the gradient is taken; test time needs no second derivatives.
  """

  def of_loss(loss_fn: gradient_lib.LossFn) -> gradient_lib.GradientFn:
    select = pruning(loss_fn)
    loss_and_grad = gradient(loss_fn)

    def scaled(
      shared: PyTree, fast: PyTree, context: Context
    ) -> tuple[Array, PyTree]:
      loss, grads = loss_and_grad(shared, fast, context)
      pruned = _select(select, shared, fast, context)
      _, pruned_grads = loss_and_grad(shared, fast, pruned)
      ratio = _ratio(optax.tree.norm(pruned_grads), optax.tree.norm(grads))
      return loss, _scale(grads, ratio)

    return scaled

  return of_loss


def by_loss(
  pruning: Pruning,
  gradient: _Gradient = gradient_lib.first_order,
  *,
  tile: int | None = None,
) -> _Gradient:
  """Scales the gradient by loss of pruned / loss (appendix B.2).

  Args:
    pruning: the points that training would have chosen.
    gradient: how the gradient is taken; test time needs no second derivatives.
    tile: points of the pruned context at a time; None takes all at once.

  Raises:
    ValueError: for a tile below 1.
  """
  tiles.check_tile(tile)

  def of_loss(loss_fn: gradient_lib.LossFn) -> gradient_lib.GradientFn:
    select = pruning(loss_fn)
    loss_and_grad = gradient(loss_fn)
    loss_of_pruned = (
      loss_fn if tile is None else tiles.tiled_loss(loss_fn, tile)
    )

    def scaled(
      shared: PyTree, fast: PyTree, context: Context
    ) -> tuple[Array, PyTree]:
      loss, grads = loss_and_grad(shared, fast, context)
      pruned = _select(select, shared, fast, context)
      ratio = _ratio(loss_of_pruned(shared, fast, pruned), loss)
      return loss, _scale(grads, ratio)

    return scaled

  return of_loss


def _select(
  select: select_lib.Select, shared: PyTree, fast: PyTree, context: Context
) -> Context:
  return select(None, shared, fast, context)  # type: ignore[arg-type]


def _ratio(pruned: Array, full: Array) -> Array:
  """pruned / full, 1 where full is 0: what is scaled is zero as well."""
  safe = jnp.where(full > 0, full, 1)
  return jax.lax.stop_gradient(jnp.where(full > 0, pruned / safe, 1))


def _scale(grads: PyTree, ratio: Array) -> PyTree:
  return jax.tree.map(lambda g: g * ratio, grads)
