"""From a mask over channels to a network that is really smaller.

A masked network has a zero at every position of every parameter that belongs to
a removed channel: the weights that make it, its bias, its batch norm's scale
and offset, and the weights that read it. (The last make the equality hold for
activations that do not map zero to zero.) A shrunk network has none of these
positions. Both compute the same up to float rounding, in either mode of batch
norm.

    structure = graph.trace(apply, params, state, images, True)
    scores = saliency(key, loss_fn, params, batches, structure)
    kept = masks.global_top_k(scores, 0.9, min_kept=1)
    small = shrink.shrink(apply, params, state, kept, images, True)
    logits, _ = small.apply(small.params, small.state, images, True)
"""

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from inrjax.networks import widths
from inrjax.sparsity import channels, graph
from inrjax.sparsity import masks as masks_lib
from inrjax.types import Array, PyTree

Masks = Mapping[str, Any]


class Shrunk(NamedTuple):
  """A smaller network, ready to be trained.

  Attributes:
    apply: the arguments and results of the network's own; for parameters of any
      width.
    params: the kept parameters.
    state: the kept state.
  """

  apply: graph.Apply
  params: PyTree
  state: PyTree


class Fans(NamedTuple):
  """Channels (or units) of a weight before and after pruning."""

  inputs: int
  kept_inputs: int
  outputs: int
  kept_outputs: int


def fan_out(fans: Fans) -> float:
  """sqrt(original fan out / pruned fan out), thesis 3.2.1."""
  return math.sqrt(fans.outputs / fans.kept_outputs)


def fan_in(fans: Fans) -> float:
  """sqrt(original fan in / pruned fan in): keeps the activations' variance."""
  return math.sqrt(fans.inputs / fans.kept_inputs)


def _keep(structure: channels.Channels, masks: Masks) -> np.ndarray:
  """`[entries + 1]` which entries stay; the last always does.

  Raises:
    ValueError: for masks with other values than 0 and 1.
    LayerCollapseError: for layers left without outputs.
  """
  for name, mask in masks.items():
    if not np.isin(np.asarray(mask), (0, 1)).all():
      raise ValueError(
        f"The mask of group {name!r} must hold 0 and 1 (or False and True), 1 "
        "where a channel stays; make one of scores with "
        "inrjax.sparsity.masks."
      )
  with jax.ensure_compile_time_eval():  # Masks are known even under jit.
    keep = np.asarray(structure.gather(masks)) != 0
  empty = [
    "/".join(axis.path[:-1]) or axis.path[-1]
    for axis in structure.axes
    if axis.role == "output" and not keep[axis.entries].any()
  ]
  if empty:
    raise masks_lib.LayerCollapseError(empty)
  return keep


def mask_params(
  structure: channels.Channels, masks: Masks, params: PyTree
) -> PyTree:
  """The parameters of the masked network, in their original shapes.

  Args:
    structure: of the network (`graph.trace`).
    masks: `{group: [size]}` of 0 and 1, 1 where a channel stays; groups that
      are not named stay whole.
    params: the network's parameters.

  Raises:
    ValueError: for unknown groups, sizes or values.
    LayerCollapseError: for a layer that would be left without outputs.
  """
  keep = _keep(structure, masks)
  chosen = _by_path(structure, "params")

  def one(path: Any, leaf: Array) -> Array:
    for axis in chosen.get(channels.path_of(path), []):
      shape = [1] * leaf.ndim
      shape[axis.axis] = len(axis.entries)
      leaf = leaf * keep[axis.entries].reshape(shape).astype(leaf.dtype)
    return leaf

  return jax.tree_util.tree_map_with_path(one, params)


def _by_path(
  structure: channels.Channels, tree: str
) -> dict[tuple[str, ...], list[channels.ParamAxis]]:
  """The axes of each array of the parameters or of the state."""
  chosen: dict[tuple[str, ...], list[channels.ParamAxis]] = {}
  for axis in structure.axes:
    if axis.tree == tree:
      chosen.setdefault(axis.path, []).append(axis)
  return chosen


def _slice(
  structure: channels.Channels, keep: np.ndarray, name: str, tree: PyTree
) -> PyTree:
  """The kept positions of every array of the tree called `name`."""
  chosen = _by_path(structure, name)

  def one(path: Any, leaf: Array) -> Array:
    touched = chosen.get(channels.path_of(path), [])
    if not touched:
      return leaf
    # On the host: on the device each shape would be compiled for once.
    values = np.asarray(leaf)
    for axis in touched:
      values = values.compress(keep[axis.entries], axis=axis.axis)
    return jnp.asarray(values)

  return jax.tree_util.tree_map_with_path(one, tree)


def _rescale(
  structure: channels.Channels,
  keep: np.ndarray,
  params: PyTree,
  rescale: Callable[[Fans], float],
) -> PyTree:
  """Multiplies each weight with removed channels by a function of its fans."""
  fans: dict[tuple[str, ...], Fans] = {}
  for axis in structure.axes:
    if axis.tree == "params" and axis.role != "other":
      old, new = len(axis.entries), int(keep[axis.entries].sum())
      found = fans.get(axis.path, Fans(1, 1, 1, 1))
      if axis.role == "output":
        found = found._replace(outputs=old, kept_outputs=new)
      else:
        found = found._replace(inputs=old, kept_inputs=new)
      fans[axis.path] = found

  def one(path: Any, leaf: Array) -> Array:
    found = fans.get(channels.path_of(path))
    return leaf if found is None else leaf * rescale(found)

  return jax.tree_util.tree_map_with_path(one, params)


def shrink(
  apply: graph.Apply,
  params: PyTree,
  state: PyTree,
  masks: Masks,
  *inputs: Any,
  protected: Collection[str] = (),
  rescale: Callable[[Fans], float] | None = None,
) -> Shrunk:
  """The smaller network that a mask over channels leaves.

  Args:
    apply: `(params, state, *inputs) -> (outputs, state)` of a Haiku transform,
      see `graph.trace`.
    params: its parameters.
    state: its state, `{}` if it has none.
    masks: `{group: [size]}` of 0 and 1 for the groups that `graph.trace` finds,
      1 where a channel stays; groups that are not named stay whole.
    *inputs: a batch of inputs and flags; only shapes are read.
    protected: as for `graph.trace`.
    rescale: `fan_out` (thesis 3.2.1), `fan_in`, or another function of a
      weight's `Fans` to multiply it by; None keeps the values.

  Returns:
    The smaller network; equal to the masked one where nothing is rescaled.

  Raises:
    LayerCollapseError: for a layer that would vanish, naming it.
    ValueError: for a network that cannot be followed (`graph.trace`), or whose
      own code fixes a width.
  """
  structure = graph.trace(apply, params, state, *inputs, protected=protected)
  keep = _keep(structure, masks)
  small_params = _slice(structure, keep, "params", params)
  small_state = _slice(structure, keep, "state", state)
  small_apply = widths.follow_widths(apply)
  left = [
    dataclasses.replace(axis, entries=axis.entries[keep[axis.entries]])
    for axis in structure.axes
  ]
  graph.check_pruned(small_apply, small_params, small_state, *inputs, axes=left)
  if rescale is not None:
    small_params = _rescale(structure, keep, small_params, rescale)
  return Shrunk(small_apply, small_params, small_state)


def reinitialise(
  init: Callable[..., tuple[PyTree, PyTree]],
  shrunk: Shrunk,
  key: Array,
  *inputs: Any,
) -> Shrunk:
  """The smaller network with new values from its own initialisers.

  Their fans are the smaller network's, as if it had never been larger (what
  SNIP does after pruning).

  Args:
    init: `(key, *inputs) -> (params, state)` of the same Haiku transform.
    shrunk: the smaller network.
    key: random key.
    *inputs: as `init` takes them.

  Raises:
    ValueError: if the shapes do not come out as those of `shrunk`.
  """
  params, state = widths.at_widths(init, shrunk.params)(key, *inputs)
  for name, new, old in (
    ("parameters", params, shrunk.params),
    ("state", state, shrunk.state),
  ):
    shapes = [
      jax.tree.map(lambda leaf: leaf.shape, tree) for tree in (new, old)
    ]
    if shapes[0] != shapes[1]:
      raise ValueError(
        f"The new {name} have other shapes than the pruned ones; pass the "
        "`init` of the transform that was pruned."
      )
  return Shrunk(shrunk.apply, params, state)
