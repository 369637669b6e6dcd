"""What the steps of a COIN's fit minimise: the error, or its robust forms.

Sums over tiles of points, so that memory does not grow with the image: the loss
and its gradient add up over tiles, and so does a Hessian-vector product whose
vector is known. The norm of a gradient does not, so it takes a second pass.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from inrjax.codec import coin_spec
from inrjax.quantize import regularizers
from inrjax.types import Array, Context, PyTree

TileLoss = Callable[[PyTree, Context], Array]
SumOverTiles = Callable[[Callable[[Context], PyTree], Context], PyTree]
LossAndGrad = Callable[[PyTree, Context], tuple[Array, PyTree]]
RoundWeights = Callable[[PyTree, int], PyTree]

_NORMS = {"gradient_l1": regularizers.l1, "gradient_l2": regularizers.l2}


def objective(
  over_tiles: SumOverTiles,
  tile_loss: TileLoss,
  robust: coin_spec.Robust | None,
  *,
  round_weights: RoundWeights,
) -> LossAndGrad:
  """The loss of a whole context, and its gradient.

  Args:
    over_tiles: adds up a function over the tiles of a context.
    tile_loss: `(params, context) -> []`, a tile's share of the loss.
    robust: what is minimised in its place; None is the loss itself.
    round_weights: `(params, num_bits) -> params` as a decoder sees them, with
      the derivative of rounding taken to be 1.

  Returns:
    `(params, context) -> (loss [], gradient)`.
  """

  def plain(params: PyTree, context: Context) -> tuple[Array, PyTree]:
    found: tuple[Array, PyTree] = over_tiles(
      lambda tile: jax.value_and_grad(tile_loss)(params, tile), context
    )
    return found

  if robust is None or robust.kind == "decay":
    return plain
  if robust.kind == "straight_through":
    return _on_rounded(plain, lambda p: round_weights(p, robust.num_bits))
  return _penalised(
    plain, over_tiles, tile_loss, _NORMS[robust.kind], robust.weight
  )


def _on_rounded(
  plain: LossAndGrad, round_weights: Callable[[PyTree], PyTree]
) -> LossAndGrad:
  """The loss of the rounded weights; the others learn (STE)."""

  def loss_and_grad(params: PyTree, context: Context) -> tuple[Array, PyTree]:
    rounded, back = jax.vjp(round_weights, params)
    loss, grads = plain(rounded, context)
    return loss, back(grads)[0]

  return loss_and_grad


def _penalised(
  plain: LossAndGrad,
  over_tiles: SumOverTiles,
  tile_loss: TileLoss,
  norm: regularizers.Norm,
  weight: float,
) -> LossAndGrad:
  """L + lambda |dL/dw|, eq. 4.3, with g + lambda H (d|g|/dg)."""

  def loss_and_grad(params: PyTree, context: Context) -> tuple[Array, PyTree]:
    loss, grads = plain(params, context)
    size, direction = norm(grads)

    def curvature(tile: Context) -> PyTree:
      gradient = jax.grad(lambda p: tile_loss(p, tile))
      return jax.jvp(gradient, (params,), (direction,))[1]

    products = over_tiles(curvature, context)
    total = jax.tree.map(lambda g, h: g + weight * h, grads, products)
    return loss + weight * jnp.asarray(size), total

  return loss_and_grad
