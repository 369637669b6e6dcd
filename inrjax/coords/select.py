"""Selects: which points of a context an inner step sees.

All of them, a random subset, or those with the highest scores: errors (ECoP,
Tack et al., 2023, eqs. 2-3) or norms of the last layer's gradient (GradNCP,
NeurIPS 2023). Scores are ranked anew at every step; neither a score nor a
ranking has a gradient, the points that are chosen do.
"""

import fractions
from collections.abc import Callable
from typing import Protocol

import chex
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from inrjax.coords import masked
from inrjax.types import Array, Context, PyTree

# Name of the positions `[K]` with the highest scores, for checkpoint policies:
# they take little memory, and scoring again takes a pass over all points.
CHOSEN = "chosen_points"


class Select(Protocol):
  """Chooses the points of one inner step."""

  def __call__(
    self, key: Array, shared: PyTree, fast: PyTree, context: Context
  ) -> Context:
    """The context of K <= N points that the step sees."""
    ...


class Predict(Protocol):
  """What a network makes of coordinates, such as `Method.apply`."""

  def __call__(self, shared: PyTree, fast: PyTree, coords: Array) -> Array:
    """`[N, ...]` for coordinates `[N, D]`."""
    ...


class Score(Protocol):
  """How much every point of a context matters."""

  def __call__(self, shared: PyTree, fast: PyTree, context: Context) -> Array:
    """Scores `[N]`; the highest are kept."""
    ...


def full_context(
  key: Array, shared: PyTree, fast: PyTree, context: Context
) -> Context:
  """All points."""
  del key, shared, fast
  return context


def random_points(
  num_points: int | None = None, *, ratio: float | None = None
) -> Select:
  """Points without replacement, drawn anew at each step.

  Args:
    num_points: K.
    ratio: gamma in (0, 1], for K = gamma N; one of the two is given.

  Raises:
    ValueError: for another gamma or fewer points than one; when the select is
      used, for more points than there are.
  """
  count = _count(num_points, ratio)

  def select(
    key: Array, shared: PyTree, fast: PyTree, context: Context
  ) -> Context:
    del shared, fast
    available = context.coords.shape[0]
    chosen = jax.random.choice(
      key, available, (count(available),), replace=False
    )
    return _take(context, chosen)

  return select


def top_points(
  score: Score,
  ratio: float | None = None,
  *,
  num_points: int | None = None,
  recall: float | None = None,
) -> Select:
  """The K points with the highest scores, in their order.

  Points of one score come in the order of their positions. Where all points
  are chosen the context stays as it is, and no score is computed.

  Args:
    score: what ranks the points.
    ratio: gamma in (0, 1]; K is the integer part of gamma N, but at least 1.
    num_points: K itself; one of the two is given.
    recall: None for the exact choice; the share of it that an accelerator's
      approximate top-k is to find, in (0, 1), which is faster for small K.

  Raises:
    ValueError: for a gamma or recall outside its range, K below 1; when the
      select is used, for a K above N.
  """
  count = _count(num_points, ratio)
  if recall is not None and not 0 < recall < 1:
    raise ValueError(
      f"recall must lie between 0 and 1, got {recall}; None is exact."
    )

  def select(
    key: Array, shared: PyTree, fast: PyTree, context: Context
  ) -> Context:
    del key
    available = context.coords.shape[0]
    kept = count(available)
    if kept == available:
      return context
    scores = score(*jax.lax.stop_gradient((shared, fast, context)))
    chex.assert_shape(scores, (available,))
    if recall is None:
      _, chosen = jax.lax.top_k(scores, kept)
    else:
      _, chosen = jax.lax.approx_max_k(scores, kept, recall_target=recall)
    chosen = checkpoint_name(chosen, CHOSEN)
    return _take(context, chosen)

  return select


def top_error(
  predict: Predict,
  ratio: float | None = None,
  *,
  num_points: int | None = None,
  tile: int | None = None,
  recall: float | None = None,
) -> Select:
  """The points that are predicted worst, ECoP eqs. 2 and 3.

  Args:
    predict: values `[N, C]` of coordinates, such as `Method.apply`.
    ratio: gamma in (0, 1].
    num_points: K in place of gamma.
    tile: points scored at a time; None scores all at once.
    recall: see `top_points`.

  Raises:
    ValueError: see `top_points`; for a tile below 1.
  """
  return top_points(
    in_tiles(error_norm(predict), tile),
    ratio,
    num_points=num_points,
    recall=recall,
  )


def top_gradient_norm(
  predict: Predict,
  features: Predict,
  ratio: float | None = None,
  *,
  num_points: int | None = None,
  output_slope: Callable[[Array], Array] = jnp.ones_like,
  tile: int | None = None,
  recall: float | None = None,
) -> Select:
  """The points that move the last layer most (GradNCP).

  Args:
    predict: values `[N, C]` of coordinates, such as `Method.apply`.
    features: inputs of the last layer; see `gradient_norm`.
    ratio: gamma in (0, 1].
    num_points: K in place of gamma.
    output_slope: see `gradient_norm`.
    tile: points scored at a time; None scores all at once.
    recall: see `top_points`.

  Raises:
    ValueError: see `top_points`; for a tile below 1.
  """
  return top_points(
    in_tiles(gradient_norm(predict, features, output_slope), tile),
    ratio,
    num_points=num_points,
    recall=recall,
  )


def error_norm(predict: Predict) -> Score:
  """||f(x) - y||, the EL2N score of ECoP eq. 2."""

  def score(shared: PyTree, fast: PyTree, context: Context) -> Array:
    error = predict(shared, fast, context.coords) - context.values
    error = _there(error, context)
    return jnp.sqrt(jnp.sum(jnp.square(error), axis=-1))

  return score


def gradient_norm(
  predict: Predict,
  features: Predict,
  output_slope: Callable[[Array], Array] = jnp.ones_like,
) -> Score:
  """Norm of the last layer's gradient of a point's squared error.

  For values W h + b it is 2 ||f(x) - y|| ||(h, 1)||. The layer may be used at
  P sites of a point, as a 1 x 1 convolution is at the pixels of a frame; the
  gradients of the sites then add up before the norm is taken.

  Differs from the published code: for video frames that multiplies the norms
  of all errors and all features, an upper bound; this is the norm.

  Args:
    predict: values `[N, C]`, or `[N, P C]` with the channels last.
    features: inputs of the last layer, `[N, F]` or `[N, P, F]`.
    output_slope: slope of an elementwise function behind the last layer, of
      the values; none by default. For a logistic output v it is v (1 - v).
  """

  def score(shared: PyTree, fast: PyTree, context: Context) -> Array:
    values = predict(shared, fast, context.coords)
    error = 2 * (values - context.values) * output_slope(values)
    error = _there(error, context)
    inputs = features(shared, fast, context.coords)
    ones = jnp.ones(inputs.shape[:-1] + (1,), inputs.dtype)
    inputs = jnp.concatenate([inputs, ones], axis=-1)
    if inputs.ndim == 2:
      return jnp.sqrt(
        jnp.sum(jnp.square(error), axis=-1)
        * jnp.sum(jnp.square(inputs), axis=-1)
      )
    error = error.reshape(*inputs.shape[:2], -1)
    gradient = jnp.einsum("npf,npc->nfc", inputs, error)
    return jnp.sqrt(jnp.sum(jnp.square(gradient), axis=(1, 2)))

  return score


def in_tiles(score: Score, tile: int | None) -> Score:
  """The same scores, computed for `tile` points at a time.

  Args:
    score: a score in which points do not depend on each other.
    tile: points at a time, so that what the network makes on the way to N
      scores needs the memory of `tile` points; None for all at once.

  Raises:
    ValueError: for a tile below 1.
  """
  if tile is None:
    return score
  if tile < 1:
    raise ValueError(f"tile must be at least 1 or None, got {tile}.")

  def tiled(shared: PyTree, fast: PyTree, context: Context) -> Array:
    num_points = context.coords.shape[0]
    if num_points <= tile:
      return score(shared, fast, context)
    whole, rest = split_tiles(context, tile)
    scores = jax.lax.map(lambda part: score(shared, fast, part), whole)
    scores = scores.reshape(-1)
    if not rest.coords.shape[0]:
      return scores
    return jnp.concatenate([scores, score(shared, fast, rest)])

  return tiled


def split_tiles(context: Context, tile: int) -> tuple[Context, Context]:
  """Cuts a context into tiles of one size and a rest.

  Args:
    context: N points.
    tile: points of a tile.

  Returns:
    The tiles, `[N // tile, tile, ...]`, and the last `N % tile` points.
  """
  num_tiles = context.coords.shape[0] // tile
  whole = jax.tree.map(
    lambda x: x[: num_tiles * tile].reshape(num_tiles, tile, *x.shape[1:]),
    context,
  )
  rest = jax.tree.map(lambda x: x[num_tiles * tile :], context)
  return whole, rest


def _there(error: Array, context: Context) -> Array:
  """Errors, 0 where the value is missing."""
  if isinstance(context, masked.MaskedContext):
    return jnp.where(context.mask > 0, error, 0)
  return error


def _take(context: Context, chosen: Array) -> Context:
  taken: Context = jax.tree.map(lambda x: x[chosen], context)
  return taken


def _count(num_points: int | None, ratio: float | None) -> Callable[[int], int]:
  """K of N, from K or gamma."""
  if (num_points is None) == (ratio is None):
    raise ValueError(
      "Give the number of points or their ratio, one of the two; got "
      f"num_points={num_points} and ratio={ratio}."
    )
  if num_points is not None and num_points < 1:
    raise ValueError(f"num_points must be at least 1, got {num_points}.")
  if ratio is not None and not 0 < ratio <= 1:
    raise ValueError(
      f"ratio must lie in (0, 1], got {ratio}; 1 keeps all points."
    )

  def count(available: int) -> int:
    if num_points is None:
      # The decimal that was written: 0.29 * 100 is 28.99... in binary.
      return max(1, int(fractions.Fraction(str(ratio)) * available))
    if num_points > available:
      raise ValueError(
        f"num_points is {num_points} but the context has {available} points."
      )
    return num_points

  return count
