"""COIN's network side: one small SIREN fitted to each image (thesis 5.1).

The inner loop with every weight and bias fast, an Adam link and no
meta-learning. What is kept is the best iterate, not the last: Adam at a
constant rate jumps. Every step sees all points of the image, as in the paper;
they pass through the network in tiles whose losses and gradients add up, so
that memory does not grow with the image.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import flatten_util

from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import links, loop
from inrjax.codec import coin_robust, coin_spec
from inrjax.coords import grid
from inrjax.networks import network as network_lib
from inrjax.quantize import uniform
from inrjax.types import Array, Context, PyTree

# Outputs of sine layers that one tile of points keeps for its gradient.
_TILE_VALUES = 1 << 22
# Steps of one compiled call; between calls a fit can be interrupted.
_STEPS_PER_CALL = 100


class Snapshot(NamedTuple):
  """A fit that can go on: the fast parameters of `keep_best`.

  Attributes:
    current: the iterate.
    best: the parameters of the lowest loss so far.
    lowest: `[]` that loss; in a gradient, the loss of the iterate.
    state: of the link that moves the iterate.
  """

  current: PyTree
  best: PyTree
  lowest: Array
  state: PyTree


def start(link: links.Link, params: PyTree) -> Snapshot:
  """A fit that begins at `params`."""
  return Snapshot(params, params, jnp.asarray(jnp.inf), link.init(params))


def keep_best(link: links.Link) -> links.Link:
  """A link on `Snapshot`s: `link` moves the iterate, the best is noted.

  The inner loop adds updates, so everything but the iterate moves by the
  difference to what it becomes.
  """

  def init(fast: Snapshot) -> Array:
    return fast.lowest

  def update(updates, lowest, params=None, *, meta=None, **unused):  # type: ignore[no-untyped-def]
    del unused
    moves, state = link.update(
      updates.current, params.state, params.current, meta=meta
    )
    better = updates.lowest < lowest
    changes = Snapshot(
      moves,
      jax.tree.map(
        lambda new, old: jnp.where(better, new - old, 0.0),
        params.current,
        params.best,
      ),
      # Infinite at the start, where no difference leads away from.
      jnp.zeros_like(lowest),
      jax.tree.map(jnp.subtract, state, params.state),
    )
    return changes, jnp.where(better, updates.lowest, lowest)

  return links.Link(init, update)


def judge_last(fast: Snapshot, losses: Array) -> Snapshot:
  """Closes a run of the loop, whose last iterate no step has looked at.

  Args:
    fast: what the loop returned.
    losses: `[S + 1]` as it returned them.
  """
  lowest = jnp.fmin(fast.lowest, jnp.nanmin(losses, initial=jnp.inf))
  # No iterate of the run was as good as the last: not even its equal.
  better = losses[-1] < jnp.fmin(
    fast.lowest, jnp.nanmin(losses[:-1], initial=jnp.inf)
  )
  best = jax.tree.map(
    lambda new, old: jnp.where(better, new, old), fast.current, fast.best
  )
  return fast._replace(best=best, lowest=lowest)


class CoinNetwork:
  """Fits one architecture to images, and evaluates it."""

  def __init__(self, spec: coin_spec.CoinSpec) -> None:
    """Compiles on the first use.

    Args:
      spec: the architecture.
    """
    self.spec = spec
    self._network = network_lib.make_siren(spec.network)
    params = jax.eval_shape(self._network.init, jax.random.key(0))
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), params)
    self._unravel = flatten_util.ravel_pytree(zeros)[1]
    leaves = jax.tree.leaves(params)
    roles = jax.tree.leaves(self._network.roles(params))
    sizes = [leaf.size for leaf in leaves]
    # `[L]`: whether a bias, and the index of the parameter's array.
    self.is_bias = np.repeat([role == "bias" for role in roles], sizes)
    self.leaf = np.repeat(np.arange(len(sizes)), sizes)

  def fit(
    self, keys: Array, images: np.ndarray, *, num_steps: int
  ) -> np.ndarray:
    """Fits images of one size, side by side.

    Args:
      keys: `[n]` random keys of the initial weights.
      images: `[n, H, W, C]` float32 in [0, 1].
      num_steps: Adam steps.

    Returns:
      `[n, L]` float32, of each image the iterate of the lowest squared error;
      more steps never give a higher one. Where the last steps prepare for
      rounding, it is the iterate of theirs that is lowest in what they
      minimise, and more steps may end elsewhere.
    """
    coords, values = self._points(images)
    fit = self._start(keys)
    robust = self.spec.robust
    last = 0 if robust is None else math.ceil(robust.part * num_steps)
    for steps, decay_steps in ((num_steps - last, 0), (last, last)):
      if decay_steps:
        fit = self._restart(decay_steps)(fit)
      for done in range(0, steps, _STEPS_PER_CALL):
        part = min(_STEPS_PER_CALL, steps - done)
        fit = self._advance(part, decay_steps)(fit, coords, values)
    return np.asarray(
      jax.vmap(lambda tree: flatten_util.ravel_pytree(tree)[0])(fit.best)
    )

  def values(
    self, params: np.ndarray, rows: np.ndarray, columns: np.ndarray
  ) -> np.ndarray:
    """Evaluates one network on a grid.

    Args:
      params: `[L]`.
      rows: `[m]` positions in the image, in [0, 1].
      columns: `[k]`.

    Returns:
      `[m, k, C]` float32.
    """
    tree, tile = self._unravel(jnp.asarray(params)), self._tile
    low, high = self.spec.low, self.spec.high
    total = len(rows) * len(columns)
    values = np.empty((total, self.spec.network.out_dim), np.float32)
    for first in range(0, total, tile):
      points = np.minimum(np.arange(first, first + tile), total - 1)
      y, x = np.divmod(points, len(columns))
      positions = np.stack([rows[y], columns[x]], axis=-1)
      coords = (low + (high - low) * positions).astype(np.float32)
      part = values[first : first + tile]
      part[:] = np.asarray(self._apply(tree, coords))[: len(part)]
    return values.reshape(len(rows), len(columns), -1)

  @property
  def _tile(self) -> int:
    """Points that pass through the network at a time."""
    network = self.spec.network
    return max(256, _TILE_VALUES // (network.depth * network.width))

  @functools.cached_property
  def _apply(self) -> Callable[..., Array]:
    return jax.jit(self._network.apply)

  @functools.cached_property
  def _start(self) -> Callable[[Array], Snapshot]:
    return jax.jit(
      jax.vmap(lambda key: start(self._link(0), self._network.init(key)))
    )

  def _link(self, decay_steps: int) -> links.Link:
    """Adam; while weights are prepared for rounding its rate falls to 0.

    The noise of a constant rate would hide what these steps are after.

    Args:
      decay_steps: until then; 0 keeps the rate.
    """
    rate: float | optax.Schedule = self.spec.learning_rate
    if decay_steps:
      rate = optax.cosine_decay_schedule(self.spec.learning_rate, decay_steps)
    return optax.with_extra_args_support(optax.adam(rate))

  @functools.cache  # noqa: B019 a codec lives as long as its process needs it
  def _restart(self, decay_steps: int) -> Callable[[Snapshot], Snapshot]:
    """From the best so far, which another objective will judge anew."""
    link = self._link(decay_steps)
    return jax.jit(jax.vmap(lambda fit: start(link, fit.best)))

  def _points(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates `[N', 2]`, and values with weights `[n, N', C + 1]`.

    N' >= N divides into equal tiles. The weights are 1 / (N C), and 0 for the
    points that were added, so the loss adds up over the tiles.
    """
    num, height, width, channels = images.shape
    size = height * width
    missing = -size % -(-size // self._tile)
    coords = grid.grid((height, width), low=self.spec.low, high=self.spec.high)
    weights = np.full((num, size, 1), 1 / (size * channels), np.float32)
    values = np.concatenate([images.reshape(num, size, -1), weights], axis=-1)
    return (
      np.pad(coords, ((0, missing), (0, 0))),
      np.pad(values, ((0, 0), (0, missing), (0, 0))),
    )

  @functools.cache  # noqa: B019 a codec lives as long as its process needs it
  def _advance(
    self, num_steps: int, decay_steps: int
  ) -> Callable[..., Snapshot]:
    """`(snapshots, coords, values) -> snapshots`, some steps further.

    Args:
      num_steps: how many.
      decay_steps: of the last part of the fit, which minimises what the
        specification's `robust` says; 0 in the part before.
    """
    link = self._link(decay_steps)
    robust = self.spec.robust if decay_steps else None
    apply, tile = self._network.apply, self._tile

    def tile_loss(current: PyTree, context: Context) -> Array:
      prediction = apply(current, context.coords)
      values, weights = context.values[:, :-1], context.values[:, -1:]
      return jnp.sum(weights * jnp.square(prediction - values))

    loss_and_grad = coin_robust.objective(
      lambda fn, context: _sum_over_tiles(fn, context, tile),
      tile_loss,
      robust,
      round_weights=self._rounded,
    )

    def loss_fn(shared: PyTree, fast: Snapshot, context: Context) -> Array:
      del shared
      return loss_and_grad(fast.current, context)[0]

    def gradient(
      shared: PyTree, fast: Snapshot, context: Context
    ) -> tuple[Array, Snapshot]:
      del shared
      loss, grads = loss_and_grad(fast.current, context)
      return loss, Snapshot(grads, None, loss, None)

    def gradient_of(unused: gradient_lib.LossFn) -> gradient_lib.GradientFn:
      del unused  # Its gradient tile by tile, which keeps less.
      return gradient

    adapt = loop.make_adapt(
      loss_fn, keep_best(link), num_steps=num_steps, gradient=gradient_of
    )

    def advance(fast: Snapshot, coords: Array, values: Array) -> Snapshot:
      context = Context(coords, values)
      # Every step sees all points: nothing is random.
      adapted = adapt(jax.random.key(0), {}, fast, {}, context)
      return judge_last(adapted.fast, adapted.losses)

    return jax.jit(jax.vmap(advance, in_axes=(0, None, 0)))

  def _rounded(self, params: PyTree, num_bits: int) -> PyTree:
    """What a decoder sees of parameters that go on learning."""
    flat, unravel = flatten_util.ravel_pytree(params)
    omega = uniform.coin_num_deviations(num_bits)
    rounded = flat
    for group in (~self.is_bias, self.is_bias):
      some = jax.lax.stop_gradient(flat[np.flatnonzero(group)])
      quantizer = uniform.FixedWidth(some.mean(), some.std(), omega, num_bits)
      rounded = jnp.where(
        group, uniform.straight_through(quantizer, flat), rounded
      )
    return unravel(rounded)


def _sum_over_tiles(
  fn: Callable[[Context], PyTree], context: Context, tile: int
) -> PyTree:
  """Adds up a function over a context in equal tiles of at most `tile`."""
  num_tiles = -(-len(context.coords) // tile)
  tiles = jax.tree.map(lambda a: a.reshape(num_tiles, -1, a.shape[-1]), context)
  first = jax.tree.map(lambda a: a[0], tiles)
  zeros = jax.tree.map(
    lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(fn, first)
  )
  return jax.lax.scan(
    lambda total, points: (jax.tree.map(jnp.add, total, fn(points)), None),
    zeros,
    tiles,
  )[0]
