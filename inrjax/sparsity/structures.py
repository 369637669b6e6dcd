"""What one entry of a pruning mask removes: a weight, or a whole unit.

Masks and scores are dictionaries from a name to an array, one entry for each
thing that can be removed. A structure says which entries there are for the
parameters of a network, and spreads them over the parameters,

  w_0 = c * w_init                     (eq. 3.6 of Alizadeh's thesis)

with one entry of c for each weight (`Unstructured`) or for each output channel
or hidden unit (`Structured`, 3.2.1), so that any saliency works with either.

Parameters are any tree; a leaf is called by its path, "module/w".
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp

from inrjax.types import Array, PyTree

# Name of an entry -> array of its mask or its scores.
Masks = dict[str, Array]

# Parameters that shift or scale and hold nothing worth removing or rounding.
_NOT_WEIGHTS = ("b", "bias", "scale", "offset")


class Structure(Protocol):
  """The entries of a mask, and what each of them multiplies."""

  def init(self, params: PyTree) -> Masks:
    """Ones, one for each thing that can be removed."""
    ...

  def members(self, params: PyTree) -> dict[str, tuple[str, ...]]:
    """For each mask, the names of the parameters that it multiplies."""
    ...

  def spread(self, masks: Mapping[str, Array], params: PyTree) -> PyTree:
    """A tree like the parameters of factors that broadcast to them."""
    ...


def named_leaves(params: PyTree) -> dict[str, Array]:
  """The leaves of a tree by their paths, in the order of the tree.

  Raises:
    ValueError: if two paths read the same.
  """
  pairs = jax.tree_util.tree_leaves_with_path(params)
  named = {_path(path): leaf for path, leaf in pairs}
  if len(named) != len(pairs):
    raise ValueError("Two parameters have the same path; rename one of them.")
  return named


def map_named(fn: Callable[[str, Array], Array], params: PyTree) -> PyTree:
  """`fn(name, leaf)` of every leaf, in a tree like the parameters."""
  return jax.tree_util.tree_map_with_path(
    lambda path, leaf: fn(_path(path), leaf), params
  )


def is_weight(name: str, leaf: Array) -> bool:
  """Whether a parameter is a weight: at least two axes, no bias, no scale."""
  return leaf.ndim >= 2 and name.rpartition("/")[2] not in _NOT_WEIGHTS


def apply_masks(
  structure: Structure, masks: Mapping[str, Array], params: PyTree
) -> PyTree:
  """c * w: eqs. 3.2 and 3.6.

  Args:
    structure: what the masks multiply.
    masks: as the structure's `init`.
    params: parameters of the network.

  Returns:
    Parameters, of the same types.
  """
  return jax.tree.map(
    lambda factor, leaf: factor.astype(leaf.dtype) * leaf,
    structure.spread(masks, params),
    params,
  )


@dataclasses.dataclass(frozen=True)
class Unstructured:
  """One entry for each weight; a mask has the name of its parameter.

  Attributes:
    select: `(name, leaf) -> bool`, which parameters have a mask.
    protected: names of parameters that have none all the same.
  """

  select: Callable[[str, Array], bool] = is_weight
  protected: tuple[str, ...] = ()

  def init(self, params: PyTree) -> Masks:
    """Ones like the selected parameters.

    Raises:
      ValueError: if nothing is selected, or a protected name is unknown.
    """
    leaves = named_leaves(params)
    _check_known("protected", self.protected, leaves)
    masks = {
      name: jnp.ones_like(leaf)
      for name, leaf in leaves.items()
      if name not in self.protected and self.select(name, leaf)
    }
    if not masks:
      raise ValueError(
        f"None of the parameters {list(leaves)} is to be masked."
      )
    return masks

  def members(self, params: PyTree) -> dict[str, tuple[str, ...]]:
    """Each mask multiplies the parameter of its name."""
    return {name: (name,) for name in self.init(params)}

  def spread(self, masks: Mapping[str, Array], params: PyTree) -> PyTree:
    """The masks themselves, and 1 for what has none."""
    return map_named(lambda name, leaf: masks.get(name, _one(leaf)), params)


class Member(NamedTuple):
  """An axis of a parameter along which a unit lies.

  Attributes:
    leaf: name of the parameter.
    axis: the axis, counted from either end.
  """

  leaf: str
  axis: int = -1


class Group(NamedTuple):
  """Units that live and die together, over all parameters they lie in.

  Layers tied by a residual connection are one group: their sizes agree and one
  entry of the mask removes a channel from all of them (figure 3.3).

  Attributes:
    name: of the mask.
    members: the parameters, at least one, and their axes.
  """

  name: str
  members: tuple[Member, ...]


@dataclasses.dataclass(frozen=True)
class Structured:
  """One entry for each unit of each group (3.2.1).

  A batch norm behind a layer takes a common factor of its input out again:
  its scale and offset must be members of the layer's group, or the derivative
  with respect to the mask is zero, and a masked channel is not silent.

  Attributes:
    groups: the groups; what is in none is never masked.
  """

  groups: tuple[Group, ...]

  def __post_init__(self) -> None:
    names = [group.name for group in self.groups]
    if not names or len(set(names)) < len(names):
      raise ValueError(f"Groups need one name each, got {names}.")
    for group in self.groups:
      if not group.members:
        raise ValueError(f"The group {group.name!r} has no members.")

  def init(self, params: PyTree) -> Masks:
    """Ones `[units]` for each group.

    Raises:
      ValueError: if a member is unknown or the sizes of a group disagree.
    """
    leaves = named_leaves(params)
    masks = {}
    for group in self.groups:
      _check_known(group.name, [m.leaf for m in group.members], leaves)
      sizes = {
        f"{m.leaf}[{m.axis}]": leaves[m.leaf].shape[m.axis]
        for m in group.members
      }
      if len(set(sizes.values())) > 1:
        raise ValueError(
          f"The members of the group {group.name!r} differ in size: {sizes}."
        )
      first = leaves[group.members[0].leaf]
      masks[group.name] = jnp.ones(
        (first.shape[group.members[0].axis],), first.dtype
      )
    return masks

  def members(self, params: PyTree) -> dict[str, tuple[str, ...]]:
    """The names of each group's parameters."""
    del params
    return {g.name: tuple(m.leaf for m in g.members) for g in self.groups}

  def spread(self, masks: Mapping[str, Array], params: PyTree) -> PyTree:
    """Each group's mask along the axes of its members."""
    uses: dict[str, list[tuple[str, int]]] = {}
    for group in self.groups:
      for member in group.members:
        uses.setdefault(member.leaf, []).append((group.name, member.axis))

    def factor(name: str, leaf: Array) -> Array:
      result = _one(leaf)
      for group, axis in uses.get(name, ()):
        shape = [1] * leaf.ndim
        shape[axis] = leaf.shape[axis]
        result = result * masks[group].reshape(shape).astype(leaf.dtype)
      return result

    return map_named(factor, params)


def unit_groups(
  params: PyTree,
  *,
  protected: Sequence[str],
  also: Mapping[str, Sequence[str]] | None = None,
  select: Callable[[str, Array], bool] = is_weight,
) -> tuple[Group, ...]:
  """A group for each layer of a chain: the last axis of its weight, its bias.

  For networks without residual connections, whose weights have their output
  units last (Haiku's `Linear` and `Conv2D`); write the groups of others out.

  Args:
    params: parameters of the network.
    protected: names of weights that keep all their units: at least that of
      the last layer, whose units are the answer.
    also: for the name of a weight, further parameters along whose last axis
      its units lie, such as the scale and offset of a batch norm behind it.
    select: which parameters are weights.

  Returns:
    The groups, each named as its weight.

  Raises:
    ValueError: if a name is unknown or everything is protected.
  """
  leaves = named_leaves(params)
  extra = dict(also or {})
  _check_known("protected", protected, leaves)
  _check_known(
    "also", [*extra, *(n for ns in extra.values() for n in ns)], leaves
  )
  groups = []
  for name, leaf in leaves.items():
    if name in protected or not select(name, leaf):
      continue
    layer = name.rpartition("/")[0]
    biases = [f"{layer}/{bias}" for bias in ("b", "bias")]
    names = [name, *(b for b in biases if b in leaves), *extra.get(name, ())]
    groups.append(Group(name, tuple(Member(n) for n in names)))
  if not groups:
    raise ValueError(f"All of {list(leaves)} is protected: nothing to prune.")
  return tuple(groups)


def _path(path: tuple[jax.tree_util.KeyEntry, ...]) -> str:
  return jax.tree_util.keystr(path, simple=True, separator="/")


def _one(leaf: Array) -> Array:
  return jnp.ones((1,) * leaf.ndim, leaf.dtype)


def _check_known(
  what: str, names: Sequence[str], leaves: Mapping[str, Array]
) -> None:
  unknown = sorted(set(names) - leaves.keys())
  if unknown:
    raise ValueError(
      f"{what} names {unknown}, but the parameters are {list(leaves)}."
    )
