"""Groups of channels, and the positions of the parameters that follow them."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from inrjax.types import Array, PyTree

ROLES = ("output", "input", "other")


@dataclasses.dataclass(frozen=True)
class ChannelGroup:
  """Channels of layers that share one mask.

  Attributes:
    name: of the first of the layers, by the order of their use.
    layers: modules whose outputs these channels are.
    start: the entry of the first channel, see `ParamAxis.entries`.
    size: number of channels.
  """

  name: str
  layers: tuple[str, ...]
  start: int
  size: int


@dataclasses.dataclass(frozen=True, eq=False)
class ParamAxis:
  """One axis of one array that holds removable channels.

  Attributes:
    tree: "params" or "state".
    path: keys of the array in its tree, `(module, name)` in Haiku's.
    axis: of the array.
    entries: `[size of the axis]` entry that each position belongs to, numbered
      over all groups; -1 where the position always stays.
    role: "output" where the array is a weight and the axis its outputs, "input"
      where it sums over them, "other" elsewhere (biases, batch norm).
  """

  tree: str
  path: tuple[str, ...]
  axis: int
  entries: np.ndarray
  role: str


@dataclasses.dataclass(frozen=True, eq=False)
class Channels:
  """Which channels of a network can be removed, and what goes with each.

  A `structures.Structure`: any saliency scores these channels. A mask
  multiplies what makes a channel (weight and bias, the batch norm's scale and
  offset: thesis 3.2.1) by default. With `roles=("input",)` it multiplies the
  weights that read the channel, which is a gate on its activation whatever
  stands in between.

  Attributes:
    groups: by name, in the order of use; pruning decides a mask for each.
    axes: every axis of every array that the groups touch.
    protected: layers none of whose outputs can be removed.
    roles: of the axes that masks multiply, see `ParamAxis`.
  """

  groups: Mapping[str, ChannelGroup]
  axes: tuple[ParamAxis, ...]
  protected: tuple[str, ...] = ()
  roles: tuple[str, ...] = ("output", "other")

  def __post_init__(self) -> None:
    unknown = sorted(set(self.roles) - set(ROLES))
    if unknown or not self.roles:
      raise ValueError(
        f"roles must name some of {list(ROLES)}, got {self.roles}."
      )

  def init(self, params: PyTree) -> dict[str, Array]:
    """Ones `[size]` for each group."""
    dtype = jnp.result_type(*jax.tree.leaves(params))
    return {
      name: jnp.ones(group.size, dtype) for name, group in self.groups.items()
    }

  def members(self, params: PyTree) -> dict[str, tuple[str, ...]]:
    """For each group, the names of the parameters that its mask multiplies."""
    del params
    return {
      name: tuple(
        "/".join(axis.path)
        for axis in self._masked
        if np.any(
          (axis.entries >= group.start)
          & (axis.entries < group.start + group.size)
        )
      )
      for name, group in self.groups.items()
    }

  def gather(self, values: Mapping[str, Any]) -> Array:
    """Values of all entries, and a last 1 for what always stays.

    Args:
      values: `{group: [size]}`; groups that are not named have ones.

    Returns:
      `[number of entries + 1]`, to be indexed with `ParamAxis.entries`.

    Raises:
      ValueError: for a group that does not exist or another size.
    """
    unknown = sorted(set(values) - set(self.groups))
    if unknown:
      raise ValueError(
        f"No group is called {unknown}; choose from {list(self.groups)}."
      )
    pieces = []
    for name, group in self.groups.items():
      value = jnp.asarray(values.get(name, np.ones(group.size, np.float32)))
      if value.shape != (group.size,):
        raise ValueError(
          f"Group {name!r} has {group.size} channels, got values of shape "
          f"{value.shape}; give one for each channel."
        )
      pieces.append(value)
    return jnp.concatenate([*pieces, np.ones(1, np.float32)])

  def spread(self, masks: Mapping[str, Any], params: PyTree) -> PyTree:
    """Factors that broadcast to the parameters, of equal rank.

    Differentiable in the masks; those that are not named are ones.
    """
    gathered = self.gather(masks)
    uses: dict[tuple[str, ...], list[ParamAxis]] = {}
    for axis in self._masked:
      uses.setdefault(axis.path, []).append(axis)

    def factor(path: Any, leaf: Array) -> Array:
      result = jnp.ones((1,) * leaf.ndim, leaf.dtype)
      for axis in uses.get(path_of(path), []):
        shape = [1] * leaf.ndim
        shape[axis.axis] = len(axis.entries)
        value = gathered[axis.entries].reshape(shape)
        result = result * value.astype(leaf.dtype)
      return result

    return jax.tree_util.tree_map_with_path(factor, params)

  @property
  def _masked(self) -> list[ParamAxis]:
    return [
      axis
      for axis in self.axes
      if axis.tree == "params" and axis.role in self.roles
    ]


def path_of(keys: Iterable[Any]) -> tuple[str, ...]:
  """JAX's path of a leaf as names, `(module, name)` in Haiku's trees."""
  return tuple(
    str(getattr(k, "key", getattr(k, "name", getattr(k, "idx", k))))
    for k in keys
  )


def flatten(tree: PyTree) -> tuple[list[tuple[str, ...]], list[Any], Any]:
  """Paths, leaves and the tree's definition."""
  pairs, treedef = jax.tree_util.tree_flatten_with_path(tree)
  paths = [path_of(path) for path, _ in pairs]
  return paths, [leaf for _, leaf in pairs], treedef
