"""A mean over points as a sum over tiles of points.

What a network keeps for its backward pass grows with the points it is given,
not with the points of the signal: a 1024 x 1024 image or a video clip is never
in memory at once. `tiled_loss` tiles a loss, with any derivative of any order;
`tiled_gradient` tiles the gradient of an inner step and computes nothing twice.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from inrjax.adapt import gradient as gradient_lib
from inrjax.coords import select as select_lib
from inrjax.types import Array, Context, PyTree


def tiled_loss(loss_fn: gradient_lib.LossFn, tile: int) -> gradient_lib.LossFn:
  """The same loss from `tile` points at a time.

  Every tile is recomputed in the backward pass rather than kept.

  Args:
    loss_fn: a mean over points, so that the loss of a union of equal parts is
      the mean of theirs.
    tile: points at a time; a last tile may be smaller.

  Returns:
    A loss with the value and the derivatives of `loss_fn` up to rounding.

  Raises:
    ValueError: for a tile below 1.
  """
  check_tile(tile)

  # For those who want more of the loss than its value (`scaling`).
  @functools.wraps(loss_fn, assigned=(), updated=())
  def loss(shared: PyTree, fast: PyTree, context: Context) -> Array:
    if context.coords.shape[0] <= tile:
      return loss_fn(shared, fast, context)

    def of(part: Context) -> Array:
      return loss_fn(shared, fast, part)

    mean: Array = _mean_over_tiles(jax.checkpoint(of), context, tile)
    return mean

  return loss


def tiled_gradient(
  gradient: Callable[[gradient_lib.LossFn], gradient_lib.GradientFn],
  tile: int,
) -> Callable[[gradient_lib.LossFn], gradient_lib.GradientFn]:
  """An inner gradient that is the mean of those of tiles of points.

  With `gradient.mixed_mode` a tile leaves nothing behind, in the inner step or
  in the outer gradient, so there is nothing to recompute.

  Args:
    gradient: how the gradient of a tile is taken and differentiated.
    tile: points at a time; a last tile may be smaller.

  Returns:
    A function of a loss that is a mean over points, for `make_adapt` and
    `Method.gradient`.

  Raises:
    ValueError: for a tile below 1.
  """
  check_tile(tile)

  def of_loss(loss_fn: gradient_lib.LossFn) -> gradient_lib.GradientFn:
    loss_and_grad = gradient(loss_fn)

    def tiled(
      shared: PyTree, fast: PyTree, context: Context
    ) -> tuple[Array, PyTree]:
      mean: tuple[Array, PyTree] = _mean_over_tiles(
        lambda part: loss_and_grad(shared, fast, part), context, tile
      )
      return mean

    return tiled

  return of_loss


def check_tile(tile: int | None) -> None:
  """Refuses a tile below 1; None means no tiles."""
  if tile is not None and tile < 1:
    raise ValueError(f"tile must be at least 1, got {tile}.")


def _mean_over_tiles(
  fn: Callable[[Context], PyTree], context: Context, tile: int
) -> PyTree:
  """Mean of `fn` over tiles, each with the weight of its points."""
  num_points = context.coords.shape[0]
  if num_points <= tile:
    return fn(context)
  whole, rest = select_lib.split_tiles(context, tile)

  def add(total: PyTree, part: Context) -> tuple[PyTree, None]:
    return jax.tree.map(jnp.add, total, fn(part)), None

  first = jax.tree.map(lambda x: x[0], whole)
  zeros = jax.tree.map(
    lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(fn, first)
  )
  total, _ = jax.lax.scan(add, zeros, whole)
  weight = tile / num_points
  mean = jax.tree.map(lambda x: x * weight, total)
  num_left = rest.coords.shape[0]
  if num_left:
    mean = jax.tree.map(
      lambda m, x: m + x * (num_left / num_points), mean, fn(rest)
    )
  return mean
