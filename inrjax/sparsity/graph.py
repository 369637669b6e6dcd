"""The channels of a network that can be removed, found by tracing it.

Removing an output channel of a layer removes the positions that belong to it in
every other parameter: biases, the scale, offset and statistics of a batch norm,
the inputs of the layers that follow (through pooling, flattening and
concatenation), and the channel of every layer whose output is added to it
(gradient binding, thesis 3.2.1 and fig. 3.3). `trace` finds these sets from the
network's program and not from names, for any pure function of parameters and
state made of the operations that `inrjax.sparsity.primitives` knows.

Channels that reach the network's output, or meet its input, are protected.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from inrjax.sparsity import primitives
from inrjax.sparsity.channels import (
  ChannelGroup,
  Channels,
  ParamAxis,
  flatten,
)
from inrjax.sparsity.labels import (
  FIXED,
  GivenIdentities,
  Identities,
  Label,
  Traced,
  channels,
  plain,
)
from inrjax.types import PyTree

# (params, state, *inputs) -> (outputs, state), as hk.transform_with_state has.
Apply = Callable[..., Any]


def _program(
  apply: Apply, params: PyTree, state: PyTree, inputs: Sequence[Any]
) -> tuple[Any, list[Any], int]:
  """The traced network, its array inputs, and how many results it has.

  What is no array among the inputs (a flag such as `is_training`) is static.
  Results that have the state's structure and shapes come last.
  """
  leaves, treedef = jax.tree.flatten(tuple(inputs))
  arrays = [i for i, leaf in enumerate(leaves) if hasattr(leaf, "shape")]
  state_def: Any = jax.tree.structure(state)

  def run(params: PyTree, state: PyTree, values: list[Any]) -> Any:
    filled = list(leaves)
    for i, value in zip(arrays, values, strict=True):
      filled[i] = value
    result = apply(params, state, *jax.tree.unflatten(treedef, filled))
    if (
      isinstance(result, tuple)
      and len(result) == 2
      and jax.tree.structure(result[1]) == state_def
    ):
      return result
    return result, None

  values = [leaves[i] for i in arrays]
  closed, shapes = jax.make_jaxpr(run, return_shape=True)(params, state, values)
  return closed, values, len(jax.tree.leaves(shapes[0]))


def _as_traced(leaf: Any, axes: Iterable[Label], *, data: bool) -> Traced:
  return Traced(tuple(axes), tuple(leaf.shape), data)


def _input(leaf: Any) -> Traced:
  return _as_traced(leaf, plain(leaf.shape), data=True)


class _Leaves:
  """Arrays of the parameters and the state, with a label for each axis."""

  def __init__(self, params: PyTree, state: PyTree) -> None:
    self.names: list[tuple[str, tuple[str, ...]]] = []
    self.arrays: list[Any] = []
    for tree, values in (("params", params), ("state", state)):
      paths, leaves, _ = flatten(values)
      self.names.extend((tree, path) for path in paths)
      self.arrays.extend(leaves)
    self.labels: list[list[Label]] = []

  def traced(self) -> list[Traced]:
    return [
      _as_traced(array, labels, data=False)
      for array, labels in zip(self.arrays, self.labels, strict=True)
    ]


def _tie_states(
  ids: Identities, leaves: _Leaves, new_states: Sequence[Traced]
) -> None:
  """What a call leaves in a statistic belongs to the channels it came from.

  A statistic that the traced call did not read (the one of the other mode, in
  Haiku's moving averages) goes with that of equal shape beside it.
  """
  first = len(leaves.arrays) - len(new_states)
  for labels, new in zip(leaves.labels[first:], new_states, strict=True):
    for old, label in zip(labels, new.axes, strict=True):
      ids.tie(old, label)

  states = [i for i, (tree, _) in enumerate(leaves.names) if tree == "state"]
  for i in states:
    mine = [label for label in leaves.labels[i] if label is not None]
    if ids.seen.intersection(*[set(m.tolist()) for m in mine[:1]]):
      continue
    for j in states:
      same_module = leaves.names[i][1][:-1] == leaves.names[j][1][:-1]
      if (
        i != j
        and same_module
        and (leaves.arrays[i].shape == leaves.arrays[j].shape)
      ):
        for a, b in zip(leaves.labels[i], leaves.labels[j], strict=True):
          ids.tie(a, b)


def _layer(path: tuple[str, ...]) -> str:
  return "/".join(path[:-1]) or path[-1]


class _Outputs:
  """The output axes of the layers, in the order in which they are used."""

  def __init__(self, ids: Identities, leaves: _Leaves) -> None:
    order = {identity: i for i, identity in enumerate(ids.outputs)}
    found = [
      (order[int(label[0])], label, _layer(path))
      for (tree, path), labels in zip(leaves.names, leaves.labels, strict=True)
      for label in labels
      if tree == "params" and label is not None and int(label[0]) in order
    ]
    found.sort(key=lambda item: item[0])
    self.labels = [label for _, label, _ in found]
    self.layers = [layer for _, _, layer in found]

  def of(self, wanted: set[int], ids: Identities) -> list[str]:
    """Layers with one of these (representative) identities as output."""
    return [
      layer
      for layer, label in zip(self.layers, self.labels, strict=True)
      if wanted.intersection(ids.roots(label).tolist())
    ]


def _protect(
  ids: Identities, outputs: _Outputs, protected: Collection[str]
) -> None:
  unknown = sorted(set(protected) - set(outputs.layers))
  if unknown:
    raise ValueError(
      f"protected names {unknown}, which are no layers with removable outputs; "
      f"choose from {outputs.layers}."
    )
  for layer, label in zip(outputs.layers, outputs.labels, strict=True):
    if layer in protected:
      ids.keep(label.tolist())


def _check_mixed(ids: Identities, outputs: _Outputs, kept: set[int]) -> None:
  """Raises for the first operation that mixes channels that may be removed."""
  for mixed in ids.mixed:
    roots = set(ids.roots(mixed.ids).tolist()) - kept
    layers = outputs.of(roots, ids)
    if layers:
      raise ValueError(
        f"The output channels of {layers} cannot be followed through "
        f"`{mixed.primitive}` of {mixed.where}: what it computes of them "
        "changes when some are removed. Keep all of them with "
        f"protected={tuple(layers)}, or leave that operation out."
      )


def _groups(
  ids: Identities, outputs: _Outputs, kept: set[int]
) -> tuple[dict[str, ChannelGroup], dict[int, int]]:
  """Groups, and the entry of each representative identity."""
  members: list[tuple[list[int], list[str]]] = []
  for layer, label in zip(outputs.layers, outputs.labels, strict=True):
    roots = [r for r in ids.roots(label).tolist() if r not in kept]
    if not roots:
      continue
    found = [m for m in members if set(m[0]) & set(roots)]
    merged = found[0] if found else ([], [])
    for other in found[1:]:
      merged[0].extend(other[0])
      merged[1].extend(other[1])
      members.remove(other)
    if not found:
      members.append(merged)
    merged[0].extend(roots)
    merged[1].append(layer)
  groups: dict[str, ChannelGroup] = {}
  entries: dict[int, int] = {}
  for roots, layers in members:
    start = len(entries)
    for root in dict.fromkeys(roots):
      entries[root] = len(entries)
    unique = tuple(dict.fromkeys(layers))
    name = next((n for n in unique if n not in groups), f"{unique[0]}#{start}")
    groups[name] = ChannelGroup(name, unique, start, len(entries) - start)
  return groups, entries


def trace(
  apply: Apply,
  params: PyTree,
  state: PyTree,
  *inputs: Any,
  protected: Collection[str] = (),
) -> Channels:
  """The removable channels of a network.

  Nothing is computed: shapes suffice, and `jax.ShapeDtypeStruct`s will do.

  Args:
    apply: `(params, state, *inputs) -> (outputs, state)`, the apply function of
      `hk.without_apply_rng(hk.transform_with_state(...))` or any other pure
      function with these arguments. Channels that its outputs hold are
      protected, so let it return predictions and not a loss.
    params: its parameters.
    state: its state, `{}` if it has none.
    *inputs: a batch of inputs and whatever else it takes; what is no array (a
      flag) is static.
    protected: layers whose output channels all stay.

  Returns:
    The groups of channels that can be removed.

  Raises:
    ValueError: if an operation mixes removable channels in a way that cannot be
      followed, naming it, its module, and the layers to protect.
  """
  closed, values, num_outputs = _program(apply, params, state, inputs)
  ids = Identities()
  leaves = _Leaves(params, state)
  leaves.labels = [
    [None if size == 1 else ids.new(size) for size in array.shape]
    for array in leaves.arrays
  ]
  results = primitives.follow(
    ids,
    closed.jaxpr,
    closed.consts,
    [*leaves.traced(), *(_input(value) for value in values)],
  )
  for output in results[:num_outputs]:
    for label in output.axes:
      ids.keep(channels(label).tolist())
  _tie_states(ids, leaves, results[num_outputs:])
  outputs = _Outputs(ids, leaves)
  _protect(ids, outputs, protected)
  kept = {ids.root(i) for i in ids.kept}
  _check_mixed(ids, outputs, kept)
  groups, entries = _groups(ids, outputs, kept)
  layers = {layer for group in groups.values() for layer in group.layers}
  return Channels(
    groups=groups,
    axes=_axes(ids, leaves, entries),
    protected=tuple(n for n in outputs.layers if n not in layers),
  )


def _axes(
  ids: Identities, leaves: _Leaves, entries: Mapping[int, int]
) -> tuple[ParamAxis, ...]:
  axes = []
  for (tree, path), labels in zip(leaves.names, leaves.labels, strict=True):
    for axis, label in enumerate(labels):
      if label is None:
        continue
      found = np.array(
        [entries.get(root, FIXED) for root in ids.roots(label).tolist()]
      )
      if (found == FIXED).all():
        continue
      held = set(label.tolist())
      role = (
        "output"
        if held & ids.outputs.keys()
        else "input"
        if held & ids.inputs
        else "other"
      )
      axes.append(ParamAxis(tree, path, axis, found, role))
  return tuple(axes)


def _alone(axes: Sequence[ParamAxis]) -> np.ndarray:
  """Entries that some axis holds alone, whose labels operations may drop.

  An axis of size 1 has nothing to tell apart: flattened with pixels or put
  beside other channels, its position becomes a `FIXED` one.
  """
  held = (np.unique(axis.entries) for axis in axes)
  return np.array([ids[0] for ids in held if len(ids) == 1], int)


def check_pruned(
  apply: Apply,
  params: PyTree,
  state: PyTree,
  *inputs: Any,
  axes: Sequence[ParamAxis],
) -> None:
  """Checks that a smaller network still combines the channels that it should.

  A channel that a layer is left with alone counts as a position that is none:
  where it goes, only sizes are checked.

  Args:
    apply: runs at the widths of its parameters.
    params: the smaller parameters.
    state: the smaller state.
    *inputs: as for `trace`.
    axes: which channel each position of them belongs to.

  Raises:
    ValueError: if the network's own code fixes a width or a position that
      pruning has changed.
  """
  try:
    closed, values, num_outputs = _program(apply, params, state, inputs)
  except (TypeError, ValueError) as error:
    raise ValueError(
      "The network does not run with fewer channels: its own code fixes a "
      "width, in a layer that is not one of Haiku's or in a reshape. Take it "
      f"from the array's shape instead, or protect the layer. ({error})"
    ) from error
  leaves = _Leaves(params, state)
  leaves.labels = [list(plain(array.shape)) for array in leaves.arrays]
  alone = _alone(axes)
  for axis in axes:
    i = leaves.names.index((axis.tree, axis.path))
    if len(axis.entries) > 1:
      leaves.labels[i][axis.axis] = np.where(
        np.isin(axis.entries, alone), FIXED, axis.entries
      )
  ids = GivenIdentities()
  arguments = [*leaves.traced(), *(_input(value) for value in values)]
  results = primitives.follow(ids, closed.jaxpr, closed.consts, arguments)
  ids.where = ("the network", "return")
  for output in results[:num_outputs]:
    for label in output.axes:
      ids.keep(channels(label).tolist())
