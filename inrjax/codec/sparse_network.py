"""The network's side of the codec of weights.

A tile is described by a vector: the change of each stored parameter from the
model's start, and, if tiles prune, ones and zeros for what has survived. With
z the gates on values, m the model's mask and m_i the tile's,

  values = m z (theta0 + change) m_i.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np

from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import loop
from inrjax.adapt import tiles as tiles_lib
from inrjax.codec import errors, sparse_spec, tile_network
from inrjax.meta import method as method_lib
from inrjax.meta import pruned
from inrjax.sparsity import gates as gates_lib
from inrjax.types import Array, Context, PyTree

# Values of hidden layers that the fit of one group of tiles keeps at a time.
_GROUP_VALUES = 1 << 25


def prepare(
  spec: sparse_spec.SparseSpec, outer: method_lib.Outer
) -> method_lib.Outer:
  """What a model keeps: no inner rates, and always a mask.

  Args:
    spec: the codec.
    outer: what training learned.

  Raises:
    ValueError: if it was not learned with such a network and gates.
  """
  template = jax.eval_shape(spec.method().init, jax.random.key(0))
  kept = outer._replace(
    meta={}, mask=outer.mask or jax.tree.map(jnp.ones_like, outer.fast)
  )
  shapes = [
    jax.tree.map(lambda leaf: tuple(leaf.shape), tree._asdict())
    for tree in (kept, template)
  ]
  if shapes[0] != shapes[1]:
    raise ValueError(
      f"What training learned has parameters {shapes[0]}, the specification "
      f"asks for {shapes[1]}: use the trained network and gates."
    )
  return kept


class SparseNetwork(tile_network.TileNetwork):
  """A trained start, fitted to arrays of tiles."""

  # Tiles may be whole images: one is not padded to several.
  _chunks = (1, 8, 32)
  spec: sparse_spec.SparseSpec

  def __init__(
    self,
    spec: sparse_spec.SparseSpec,
    outer: method_lib.Outer,
    *,
    stored: np.ndarray | None = None,
  ) -> None:
    """Keeps the parameters.

    Args:
      spec: the codec.
      outer: what `prepare` gave.
      stored: `[all]` bool, which parameters may change; None finds out. A model
        file says it, as gates at the edge of open depend on the machine.

    Raises:
      ValueError: if nothing is stored.
    """
    self._stored = stored
    super().__init__(spec, outer)
    values = spec.network.depth * spec.network.width * spec.side**2
    self._task_tile = max(1, min(8, _GROUP_VALUES // values))
    fast = self._method.initial_fast(outer)
    self._start = jax.flatten_util.ravel_pytree(fast)[0]
    factor = outer.mask
    if spec.gates is not None and spec.gates.on == "values":
      z = gates_lib.estimate(outer.log_alpha, spec.gates.distribution)
      spread = spec.gates.grouping.spread(z, fast)
      factor = jax.tree.map(jnp.multiply, factor, spread)
    self._factor = jax.flatten_util.ravel_pytree(factor)[0]
    prunable = int(self.may_prune.sum())
    if spec.num_kept and spec.num_kept[0] >= prunable:
      raise ValueError(
        f"num_kept begins with {spec.num_kept[0]}, but the model has no more "
        f"than {prunable} parameters of the roles {spec.pruned_roles} left: "
        "prune to fewer."
      )

  @property
  def size(self) -> int:
    """All fast parameters."""
    return self._size

  @property
  def stored(self) -> np.ndarray:
    """`[all]` bool, which parameters may change."""
    flags = np.zeros(self._size, bool)
    flags[self._kept] = True
    return flags

  @functools.cached_property
  def group(self) -> np.ndarray:
    """`[L]` the tensor of each stored parameter; stacked layers are several."""
    numbers: dict[str, dict[str, np.ndarray]] = {}
    next_number = 0
    fast = self._method.initial_fast(self.outer)
    for module, leaves in fast.items():
      numbers[module] = {}
      for name, leaf in leaves.items():
        role = self._method.partition.roles[module][name]
        stacked = leaf.shape[: leaf.ndim - (2 if role == "weight" else 1)]
        count = int(np.prod(stacked))
        index = next_number + np.arange(count)
        numbers[module][name] = np.broadcast_to(
          index.reshape(*stacked, *(1,) * (leaf.ndim - len(stacked))),
          leaf.shape,
        )
        next_number += count
    flat = np.asarray(jax.flatten_util.ravel_pytree(numbers)[0])
    return np.unique(flat[self._kept], return_inverse=True)[1]

  @functools.cached_property
  def may_prune(self) -> np.ndarray:
    """`[L]` bool, what the rounds of pruning look at."""
    fast = self._method.initial_fast(self.outer)
    roles = self._method.partition.roles
    flags = {
      module: {
        name: np.full(
          leaf.shape, roles[module][name] in self.spec.pruned_roles, np.int32
        )
        for name, leaf in leaves.items()
      }
      for module, leaves in fast.items()
    }
    flat = np.asarray(jax.flatten_util.ravel_pytree(flags)[0])
    return (flat[self._kept] != 0) & bool(self.spec.num_kept)

  @property
  def start(self) -> np.ndarray:
    """`[L]` theta0 of the stored parameters."""
    return np.asarray(self._start)[self._kept]

  def fit(self, tiles: np.ndarray, *, extra_steps: int = 0) -> np.ndarray:
    """Descriptions of tiles, `[n, L]`, or `[n, 2 L]` if they prune.

    Raises:
      CodecError: if a fit ends in values that are not finite.
    """
    fast = super().fit(tiles, extra_steps=extra_steps)
    if not np.all(np.isfinite(fast)):
      raise errors.CodecError(
        "The fit of a tile diverged: the model's learning rate "
        f"{self.spec.learning_rate} is too high for this image."
      )
    return fast

  def squared_jacobian(
    self, fast: np.ndarray, *, num_probes: int, seed: int
  ) -> np.ndarray:
    """Mean square of the derivatives of the values by each change, `[L]`.

    Estimated with random signs v, as E[(J^T v)^2] = sum of J^2 over values.

    Args:
      fast: `[n, ...]` descriptions of tiles.
      num_probes: random vectors for each tile.
      seed: of these.
    """
    length = self.num_stored
    mapped = jax.jit(
      loop.over_signals(self._squared_product, task_tile=self._task_tile)
    )
    total = np.zeros(length)
    for probe in range(num_probes):
      seeds = seed + probe * len(fast) + np.arange(len(fast), dtype=np.uint32)
      squares = tile_network._in_chunks(
        mapped, fast, seeds, chunks=self._chunks
      )
      total += squares.sum(axis=0, dtype=np.float64)
    return total / (num_probes * len(fast))

  def _squared_product(self, fast: Array, seed: Array) -> Array:
    """The square of J^T v of one tile over its number of values, `[L]`."""
    length = self.num_stored

    def mean_product(shared: Array, fast: Array, context: Context) -> Array:
      values = self._apply(shared.at[:length].set(fast), context.coords)
      return jnp.mean(values * context.values)

    shape = (len(self._coords), self.spec.network.out_dim)
    signs = jax.random.rademacher(jax.random.key(seed), shape, fast.dtype)
    _, product = tiles_lib.tiled_gradient(
      gradient_lib.first_order, self._point_tile
    )(mean_product)(fast, fast[:length], Context(self._coords, signs))
    return jnp.square(product) * signs.size

  def _find_kept(self) -> np.ndarray:
    if self._stored is not None:
      return np.flatnonzero(self._stored)
    present = self.outer.mask
    gates = self.spec.gates
    if gates is not None:
      open_ = jax.tree.map(
        lambda flag: flag.astype(jnp.float32),
        gates_lib.open_gates(self.outer.log_alpha, gates.distribution),
      )
      spread = gates.grouping.spread(open_, present)
      present = jax.tree.map(jnp.multiply, present, spread)
    return np.flatnonzero(jax.flatten_util.ravel_pytree(present)[0])

  def _apply(self, fast: Array, coords: Array) -> Array:
    length = self.num_stored
    values = self._factor * self._start.at[self._kept].add(fast[:length])
    if self.spec.num_kept:
      values = values.at[self._kept].multiply(
        fast[length:], unique_indices=True
      )
    return self._method.apply(self.outer.shared, self._unravel(values), coords)

  @functools.cache  # noqa: B019 a codec lives as long as its process needs it
  def _fit(self, extra_steps: int) -> Callable[..., Any]:
    spec = self.spec
    method, at_start = spec.method(extra_steps=extra_steps), spec.at_start
    method = dataclasses.replace(
      method,
      point_tile=self._point_tile,
      # With the other alone, every part would be evaluated twice.
      gradient=tiles_lib.tiled_gradient(method.gradient, self._point_tile),
    )

    def flat(tree: PyTree) -> Array:
      return jax.flatten_util.ravel_pytree(tree)[0]

    def one(tile: Array) -> Array:
      context = self._as_context(tile)
      key = jax.random.key(0)  # Every step sees all points.
      if not spec.num_kept:
        adapted = method.adapt(key, self.outer, {}, context)
        return (flat(adapted.state["fast"]) - self._start)[self._kept]
      adapted, mask, _ = pruned.fit_pruned(
        method,
        key,
        self.outer,
        context,
        num_kept=spec.num_kept,
        pruned_roles=spec.pruned_roles,
        at_start=None if at_start is None else at_start.saliency(),
      )
      survives = flat(mask)[self._kept]
      change = (flat(adapted.state["fast"]) - self._start)[self._kept]
      return jnp.concatenate([survives * change, survives])

    return jax.jit(loop.over_signals(one, task_tile=self._task_tile))
