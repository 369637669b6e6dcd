"""The network's side of the grid codec: fitting blocks, and evaluating them.

Everything is compiled for a fixed number of blocks and of points and called as
often as it takes, so memory is bounded whatever the size of the signal.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax

from inrjax.adapt import links, loop
from inrjax.codec import grid_spec
from inrjax.coords import masked
from inrjax.meta import method as method_lib
from inrjax.sparsity import gates as gates_lib
from inrjax.types import Array, Context

# Blocks of one compiled call: the least of these that holds all, or the last.
_CHUNKS = (1, 8, 64)
# How often the rates of a fit that gets worse are halved.
_MAX_HALVINGS = 5
# Mean squared error, of values in [0, 1], that a fit need not fall below: of
# silence and air the start is as good as any.
_SMALL_ERROR = 1e-8
# Points of the blocks that are worked on at a time, and of one block.
_POINTS = 8192
_MAX_TASK_TILE = 8


class GridNetwork:
  """A trained method, applied to blocks that share their coordinates.

  The fast parameters that the codec stores are those whose gate is open, as
  one vector per block.

  Attributes:
    spec: network, blocks and inner loop.
    outer: what training learned.
  """

  def __init__(self, spec: grid_spec.GridSpec, outer: method_lib.Outer) -> None:
    """Keeps the parameters; raises ValueError if every gate is closed."""
    self.spec = spec
    self.outer = outer
    self._method = spec.method()
    template = self._method.initial_fast(outer)
    flat, self._unravel = jax.flatten_util.ravel_pytree(template)
    self._size = flat.size
    self._kept = np.arange(flat.size)
    if spec.gates is not None:
      open_ = gates_lib.open_gates(outer.log_alpha, spec.gates.distribution)
      self._kept = np.flatnonzero(jax.flatten_util.ravel_pytree(open_)[0])
    if not len(self._kept):
      raise ValueError(
        f"None of the {flat.size} gates are open, so there is nothing to "
        "store; train with a smaller penalty."
      )

  @property
  def num_stored(self) -> int:
    """L, the fast parameters stored for a block."""
    return len(self._kept)

  def fit(
    self,
    blocks: np.ndarray,
    coords: np.ndarray,
    *,
    present: np.ndarray | None = None,
    extra_steps: int = 0,
  ) -> np.ndarray:
    """Fast parameters of blocks.

    The learned rates are those of the training signals' points. Where a block
    has points so few, or lying so differently, that its error does not fall, it
    is fitted again at half the rates in twice the steps, and so on.

    Args:
      blocks: `[n, N, C]` float32 near [0, 1].
      coords: `[N, D]`.
      present: `[n, N]`, true where there is a value; the others are in no loss.
        None takes all.
      extra_steps: inner steps beyond the specification's.

    Returns:
      `[n, L]` float32.
    """
    points = jnp.asarray(coords)
    signals = [blocks]
    if present is not None:
      masks = np.broadcast_to(present[..., np.newaxis], blocks.shape)
      signals.append(masks.astype(np.float32))
    found = np.zeros((len(blocks), self.num_stored), np.float32)
    left = np.arange(len(blocks))
    for halvings in range(1 + _MAX_HALVINGS):
      fit = self._fit(extra_steps, halvings, present is not None, len(coords))
      rows = _in_chunks(lambda *s, f=fit: f(points, *s), *signals)
      fast, fell = rows[:, :-1], rows[:, -1] > 0
      found[left] = fast
      if fell.all():
        break
      left, signals = left[~fell], [s[~fell] for s in signals]
    return found

  def values(self, fast: np.ndarray, coords: np.ndarray) -> np.ndarray:
    """`[n, N, C]` values of blocks with fast parameters `[n, L]`."""
    parts = []
    for start in range(0, len(coords), _POINTS):
      part = coords[start : start + _POINTS]
      count = len(part)
      if start:  # One more shape would be one more compilation.
        part = np.concatenate([part, np.repeat(part[-1:], _POINTS - count, 0)])
      points = jnp.asarray(part)
      tile = _task_tile(len(part))
      values = _in_chunks(
        lambda f, p=points, t=tile: self._values(p, f, t), fast
      )
      parts.append(values[:, :count])
    return np.concatenate(parts, axis=1)

  def jacobians(self, fast: np.ndarray, coords: np.ndarray) -> np.ndarray:
    """`[n, N C, L]` derivatives of the blocks' values; for few of them."""
    points = jnp.asarray(coords)

    def one(fast: Array) -> Array:
      return self._apply(fast, points).ravel()

    return np.asarray(jax.jit(lambda f: jax.lax.map(jax.jacfwd(one), f))(fast))

  def _apply(self, fast: Array, coords: Array) -> Array:
    full = jnp.zeros(self._size).at[self._kept].set(fast)
    return self._method.apply(self.outer.shared, self._unravel(full), coords)

  @functools.cached_property
  def _values(self) -> Callable[..., Array]:
    @functools.partial(jax.jit, static_argnums=2)
    def values(coords: Array, fast: Array, task_tile: int) -> Any:
      one = lambda f: self._apply(f, coords)  # noqa: E731
      return loop.over_signals(one, task_tile=task_tile)(fast)

    return values

  @functools.cache  # noqa: B019 a codec lives as long as its process needs it
  def _fit(
    self, extra_steps: int, halvings: int, some_missing: bool, num_points: int
  ) -> Callable[..., Any]:
    """Blocks `[n, N, C]`, and masks, to `[n, L + 1]`: did the error fall?"""
    link = self._method.link
    if halvings:
      link = optax.chain(link, links.scale(0.5**halvings))
    method = dataclasses.replace(
      self._method,
      link=link,
      num_steps=(self._method.num_steps + extra_steps) * 2**halvings,
      point_tile=_POINTS if num_points > 2 * _POINTS else None,
    )

    def fitted(coords: Array, *signals: Array) -> Any:
      def one(values: Array, *mask: Array) -> Array:
        context: Any = Context(coords, values)
        if some_missing:
          context = masked.MaskedContext(coords, values, mask[0])
        # No selection of points is random in this codec.
        adapted = method.adapt(jax.random.key(0), self.outer, {}, context)
        fast = jax.flatten_util.ravel_pytree(adapted.fast)[0][self._kept]
        # Of no step the error stays what it was.
        most = jnp.maximum(adapted.losses[0], _SMALL_ERROR)
        fell = adapted.losses[-1] <= most
        return jnp.append(fast, fell)

      task_tile = _task_tile(num_points)
      return loop.over_signals(one, task_tile=task_tile)(*signals)

    return jax.jit(fitted)


def _task_tile(num_points: int) -> int:
  return max(1, min(_MAX_TASK_TILE, _POINTS // num_points))


def _in_chunks(fn: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
  """Applies a function compiled for few numbers of rows to any number."""
  num = len(arrays[0])
  chunk = next((size for size in _CHUNKS if num <= size), _CHUNKS[-1])
  results = []
  for start in range(0, num, chunk):
    parts = [a[start : start + chunk] for a in arrays]
    size = len(parts[0])
    if size < chunk:
      parts = [
        np.concatenate([p, np.repeat(p[-1:], chunk - size, axis=0)])
        for p in parts
      ]
    results.append(np.asarray(fn(*parts))[:size])
  return np.concatenate(results)
