"""The network's side of the codec: fitting tiles, and evaluating them.

Everything is compiled for a fixed number of tiles and called as often as it
takes, so memory is bounded whatever the size of the image.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np

from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import loop
from inrjax.adapt import tiles as tiles_lib
from inrjax.coords import images
from inrjax.meta import method as method_lib
from inrjax.networks import fourier, siren
from inrjax.sparsity import gates as gates_lib
from inrjax.types import Array, Context, PyTree

# Tiles of one compiled call: the least of these that holds all, or the last.
_CHUNKS = (8, 32, 128)
_TASK_TILE = 8
# The same of tiles so large, such as whole images, that they are worked on in
# parts of so many points; one is not padded to several.
_LARGE_CHUNKS = (1, 8)
_POINTS = 8192
# Output pixels of a tile are evaluated in blocks of at most this side.
_BLOCK = 64


class TileSpec(Protocol):
  """What a specification says of the network and its tiles."""

  @property
  def network(self) -> siren.SirenConfig | fourier.FourierConfig:
    """The network."""
    ...

  @property
  def side(self) -> int:
    """P of the P x P tiles."""
    ...

  @property
  def low(self) -> float:
    """Start of the coordinate range of a tile."""
    ...

  @property
  def high(self) -> float:
    """Its end."""
    ...

  @property
  def image_side(self) -> int | None:
    """Side of the images whose shape small files leave out."""
    ...

  @property
  def gates(self) -> method_lib.Gates | None:
    """The gates; what is behind a closed one is not stored."""
    ...

  def method(self) -> method_lib.Method:
    """The method whose inner loop encodes."""
    ...

  def to_json(self) -> dict[str, Any]:
    """The specification as JSON values."""
    ...


class TileNetwork:
  """A trained method, applied to arrays of tiles.

  The fast parameters that the codec stores are those whose gate is open, as one
  vector per tile.

  Attributes:
    spec: network, tiles and inner loop.
    outer: what training learned.
  """

  _chunks: tuple[int, ...] = _CHUNKS
  _task_tile = _TASK_TILE

  def __init__(self, spec: TileSpec, outer: method_lib.Outer) -> None:
    """Keeps the parameters.

    Args:
      spec: the codec.
      outer: what training learned.

    Raises:
      ValueError: if every gate is closed.
    """
    self.spec = spec
    self.outer = outer
    self._method = spec.method()
    template = self._method.initial_fast(outer)
    flat, self._unravel = jax.flatten_util.ravel_pytree(template)
    self._size = flat.size
    self._kept = self._find_kept()
    if not len(self._kept):
      raise ValueError(
        f"None of the {flat.size} gates are open, so there is nothing to "
        "store; train with a smaller penalty."
      )
    self._as_context = images.image_context(
      spec.side, spec.side, low=spec.low, high=spec.high
    )
    self._point_tile = spec.side**2
    if self._point_tile > 2 * _POINTS:
      self._point_tile = _POINTS
      self._chunks, self._task_tile = _LARGE_CHUNKS, 1

  def _find_kept(self) -> np.ndarray:
    """`[L]` indices of the fast parameters that are stored."""
    gates = self.spec.gates
    if gates is None:
      return np.arange(self._size)
    open_ = gates_lib.open_gates(self.outer.log_alpha, gates.distribution)
    return np.flatnonzero(jax.flatten_util.ravel_pytree(open_)[0])

  @property
  def num_stored(self) -> int:
    """L, the fast parameters stored for a tile."""
    return len(self._kept)

  def fit(self, tiles: np.ndarray, *, extra_steps: int = 0) -> np.ndarray:
    """Fast parameters of tiles.

    Args:
      tiles: `[n, P, P, C]` float32 in [0, 1].
      extra_steps: inner steps beyond the specification's.

    Returns:
      `[n, L]` float32.
    """
    return _in_chunks(self._fit(extra_steps), tiles, chunks=self._chunks)

  def values(
    self, fast: np.ndarray, rows: np.ndarray, columns: np.ndarray
  ) -> np.ndarray:
    """Evaluates tiles, each on a grid of its own.

    Args:
      fast: `[n, L]`.
      rows: `[n, m]` row positions in the tile, in [0, 1].
      columns: `[n, k]` column positions.

    Returns:
      `[n, m, k, C]`.
    """
    blocks = [
      [
        _in_chunks(
          self._values, fast, some_rows, some_columns, chunks=self._chunks
        )
        for some_columns in _blocks(columns)
      ]
      for some_rows in _blocks(rows)
    ]
    values = np.concatenate([np.concatenate(b, axis=2) for b in blocks], axis=1)
    return values[:, : rows.shape[1], : columns.shape[1]]

  def error_and_gradient(
    self, fast: np.ndarray, tiles: np.ndarray
  ) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared error of every tile and its gradient.

    Args:
      fast: `[n, L]`.
      tiles: `[n, P, P, C]`.

    Returns:
      `[n]` and `[n, L]`.
    """
    return _in_chunks(
      self._error_and_gradient, fast, tiles, chunks=self._chunks
    )

  def jacobians(self, fast: np.ndarray) -> np.ndarray:
    """`[n, P P C, L]` derivatives of the tiles' values; for few tiles."""

    def one(fast: Array) -> Array:
      return self._apply(fast, self._coords).ravel()

    return np.asarray(jax.jit(lambda f: jax.lax.map(jax.jacfwd(one), f))(fast))

  @functools.cached_property
  def _coords(self) -> Array:
    side, channels = self.spec.side, self.spec.network.out_dim
    return self._as_context(jnp.zeros((side, side, channels))).coords

  def _apply(self, fast: Array, coords: Array) -> Array:
    full = jnp.zeros(self._size).at[self._kept].set(fast)
    return self._method.apply(self.outer.shared, self._unravel(full), coords)

  @functools.cache  # noqa: B019 a codec lives as long as its process needs it
  def _fit(self, extra_steps: int) -> Callable[..., Any]:
    method = dataclasses.replace(
      self._method,
      num_steps=self._method.num_steps + extra_steps,
      point_tile=self._point_tile,
    )

    def one(tile: Array) -> Array:
      context = self._as_context(tile)
      # No selection of points is random in this codec.
      adapted = method.adapt(jax.random.key(0), self.outer, {}, context)
      return jax.flatten_util.ravel_pytree(adapted.fast)[0][self._kept]

    return jax.jit(loop.over_signals(one, task_tile=self._task_tile))

  @functools.cached_property
  def _values(self) -> Callable[..., Any]:
    low, high = self.spec.low, self.spec.high

    def one(fast: Array, rows: Array, columns: Array) -> Array:
      y, x = jnp.meshgrid(rows, columns, indexing="ij")
      coords = low + (high - low) * jnp.stack([y.ravel(), x.ravel()], axis=-1)
      values = self._apply(fast, coords)
      return values.reshape(rows.size, columns.size, -1)

    return jax.jit(loop.over_signals(one, task_tile=self._task_tile))

  @functools.cached_property
  def _error_and_gradient(self) -> Callable[..., Any]:
    def error(shared: PyTree, fast: Array, context: Context) -> Array:
      del shared  # The model's, and constant.
      values = self._apply(fast, context.coords)
      return gradient_lib.squared_error(values, context.values)

    of_part = tiles_lib.tiled_gradient(
      gradient_lib.first_order, self._point_tile
    )(error)

    def one(fast: Array, tile: Array) -> tuple[Array, Array]:
      return of_part((), fast, self._as_context(tile))

    return jax.jit(loop.over_signals(one, task_tile=self._task_tile))


def _blocks(positions: np.ndarray) -> list[np.ndarray]:
  """`[n, m]` cut into equal parts; the last repeats its last column."""
  length = positions.shape[1]
  number = -(-length // _BLOCK)
  missing = -length % number
  padded = np.pad(positions, ((0, 0), (0, missing)), mode="edge")
  return np.split(padded, number, axis=1)


def _in_chunks(
  fn: Callable[..., PyTree],
  *arrays: np.ndarray,
  chunks: tuple[int, ...] = _CHUNKS,
) -> Any:
  """Applies a compiled function of a fixed number of rows to any number."""
  num = len(arrays[0])
  chunk = next((size for size in chunks if num <= size), chunks[-1])
  results = []
  for start in range(0, num, chunk):
    parts = [a[start : start + chunk] for a in arrays]
    size = len(parts[0])
    missing = chunk - size
    if missing:
      parts = [
        np.concatenate([p, np.repeat(p[-1:], missing, axis=0)]) for p in parts
      ]
    result = fn(*parts)
    results.append(jax.tree.map(lambda r, n=size: np.asarray(r)[:n], result))
  return jax.tree.map(lambda *r: np.concatenate(r), *results)
