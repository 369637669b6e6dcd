"""From scores to masks of 0 and 1, at an exact size.

Scores are dictionaries from a name to an array, as `inrjax.sparsity.structures`
has them; a mask keeps the entries of the highest scores (section 3.1 and
algorithm 3 of Alizadeh's thesis), of all layers together or of each. Among
equal scores the earlier position is kept, in the order of the sorted names.

These run on the host, once before training.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from inrjax.sparsity import structures
from inrjax.types import PyTree

# What happens to the names of layers that a mask empties.
OnCollapse = Callable[[Sequence[str]], None]


class LayerCollapseError(ValueError):
  """A mask that leaves nothing of a layer, through which no signal passes.

  Attributes:
    layers: names of the emptied masks.
  """

  def __init__(self, layers: Sequence[str]):
    self.layers = tuple(layers)
    super().__init__(_collapse_text(layers))


def raise_collapse(layers: Sequence[str]) -> None:
  """Refuses a mask that empties a layer."""
  raise LayerCollapseError(layers)


def warn_collapse(layers: Sequence[str]) -> None:
  """Lets such a mask pass, with a warning: a baseline may collapse."""
  warnings.warn(_collapse_text(layers), RuntimeWarning, stacklevel=3)


def global_top_k(
  scores: Mapping[str, Any],
  sparsity: float,
  *,
  protected: Sequence[str] = (),
  min_kept: int = 0,
  on_collapse: OnCollapse = raise_collapse,
) -> structures.Masks:
  """Keeps the highest scores of all layers together.

  Args:
    scores: finite scores; higher is kept.
    sparsity: part to be removed of the entries that are not protected, in
      (0, 1). Of n entries, `round(n sparsity)` go, halves to even.
    protected: names whose entries are all kept, and not counted.
    min_kept: entries that every layer keeps (all, if it has fewer), in place of
      the lowest that others would have kept; 1 prevents layer collapse.
    on_collapse: called with the names of layers of which nothing is left.

  Returns:
    Masks of 0 and 1 like the scores.

  Raises:
    ValueError: for a sparsity outside (0, 1), one that keeps nothing or less
      than `min_kept` asks for, scores that are not finite or all zero, or an
      unknown protected name.
    LayerCollapseError: from `raise_collapse`.
  """
  host, free = _check(scores, sparsity, protected)
  flat = np.concatenate([host[name].ravel() for name in free])
  floor = np.concatenate([_top(host[n].ravel(), min_kept) for n in free])
  num_kept = _num_kept(flat.size, sparsity)
  if floor.sum() > num_kept:
    raise ValueError(
      f"sparsity {sparsity} keeps {num_kept} of {flat.size} entries, fewer than"
      f" min_kept={min_kept} in each of {len(free)} layers: lower one of them."
    )
  # What is kept anyway leaves the race.
  rest = np.flatnonzero(~floor)
  kept = floor.copy()
  kept[rest[_top(flat[rest], num_kept - int(floor.sum()))]] = True
  bounds = np.cumsum([host[name].size for name in free])[:-1]
  pieces = dict(zip(free, np.split(kept, bounds), strict=True))
  return _finish(host, pieces, on_collapse)


def layer_top_k(
  scores: Mapping[str, Any],
  sparsity: float,
  *,
  protected: Sequence[str] = (),
  on_collapse: OnCollapse = raise_collapse,
) -> structures.Masks:
  """Keeps the highest scores of each layer, the same part of all.

  Args:
    scores: as in `global_top_k`.
    sparsity: part to be removed of each layer, in (0, 1); of n entries
      `round(n sparsity)` go.
    protected: names whose entries are all kept.
    on_collapse: called with the names of layers of which nothing is left: those
      too small for the sparsity.

  Returns:
    Masks of 0 and 1 like the scores.

  Raises:
    ValueError: as in `global_top_k`.
    LayerCollapseError: from `raise_collapse`.
  """
  host, free = _check(scores, sparsity, protected)
  pieces = {
    name: _top(
      host[name].ravel(),
      host[name].size - round(host[name].size * sparsity),
    )
    for name in free
  }
  return _finish(host, pieces, on_collapse)


def top_by_cost(
  scores: Mapping[str, Any],
  costs: Mapping[str, float],
  sparsity: float,
  *,
  protected: Sequence[str] = (),
  on_collapse: OnCollapse = raise_collapse,
) -> structures.Masks:
  """Removes the lowest scores until a part of the whole cost is gone.

  With the number of parameters of a unit as its cost this is the axis of table
  3.1, with its operations that of figure 3.6. The removed cost is the smallest
  that reaches the request, so it exceeds it by less than one entry's.

  Args:
    scores: as in `global_top_k`.
    costs: for each name, the cost of one entry, not negative.
    sparsity: part to be removed of the cost of what is not protected, in
      (0, 1).
    protected: names whose entries are all kept, and not counted.
    on_collapse: called with the names of layers of which nothing is left.

  Returns:
    Masks of 0 and 1 like the scores.

  Raises:
    ValueError: as in `global_top_k`, or for costs that are missing, negative or
      all zero.
    LayerCollapseError: from `raise_collapse`.
  """
  host, free = _check(scores, sparsity, protected)
  missing = sorted(set(free) - costs.keys())
  if missing:
    raise ValueError(f"costs of {missing} are missing; got {sorted(costs)}.")
  each = np.array([float(costs[name]) for name in free])
  if not (np.all(np.isfinite(each)) and np.all(each >= 0) and np.any(each)):
    raise ValueError(f"costs must be 0 or more and not all 0, got {costs}.")
  sizes = [host[name].size for name in free]
  flat = np.concatenate([host[name].ravel() for name in free])
  spent = np.repeat(each, sizes)
  # Lowest first, and the later one first among equals.
  order = np.argsort(flat[::-1], kind="stable")
  order = flat.size - 1 - order
  before = np.cumsum(spent[order]) - spent[order]
  gone = order[before < sparsity * spent.sum() * (1 - 1e-12)]
  kept = np.ones(flat.size, bool)
  kept[gone] = False
  pieces = dict(zip(free, np.split(kept, np.cumsum(sizes)[:-1]), strict=True))
  return _finish(host, pieces, on_collapse)


def collapsed(masks: Mapping[str, Any]) -> tuple[str, ...]:
  """Names of the masks that are zero throughout."""
  return tuple(name for name in sorted(masks) if not np.any(masks[name]))


def sparsity_of(masks: Mapping[str, Any]) -> float:
  """Part of the entries of all masks that is removed, in [0, 1]."""
  total = sum(np.size(mask) for mask in masks.values())
  if total == 0:
    raise ValueError("There is no entry in the masks to be a part of.")
  kept = sum(int(np.count_nonzero(mask)) for mask in masks.values())
  return 1.0 - kept / total


def parameter_sparsity(
  structure: structures.Structure,
  masks: Mapping[str, Any],
  params: PyTree,
) -> float:
  """Part of the network's parameters that the masks make zero, in [0, 1].

  Counts every parameter, masked or not. Less than what shrinking the network
  removes, which also takes the inputs of the layers behind.
  """
  leaves = structures.named_leaves(params)
  factors = structures.named_leaves(structure.spread(masks, params))
  total = sum(leaf.size for leaf in leaves.values())
  kept = sum(
    int(np.count_nonzero(factors[name])) * leaf.size // factors[name].size
    for name, leaf in leaves.items()
  )
  return 1.0 - kept / total


def _check(
  scores: Mapping[str, Any], sparsity: float, protected: Sequence[str]
) -> tuple[dict[str, np.ndarray], list[str]]:
  """Scores on the host in the order of their names, and the free names."""
  if not 0.0 < sparsity < 1.0:
    raise ValueError(
      f"sparsity must lie strictly between 0 and 1, got {sparsity}: it is the"
      " part that is removed."
    )
  unknown = sorted(set(protected) - scores.keys())
  if unknown:
    raise ValueError(f"protected names {unknown}, not among {sorted(scores)}.")
  host = {name: np.asarray(scores[name]) for name in sorted(scores)}
  free = [name for name in host if name not in protected]
  if not any(host[name].size for name in free):
    raise ValueError(f"Nothing to prune: {sorted(scores)} are all protected.")
  for name in free:
    if not np.all(np.isfinite(host[name])):
      raise ValueError(
        f"The scores of {name!r} are not finite: look at the loss, and at the"
        " learning rate of the inner steps if there are any."
      )
  if not any(np.any(host[name]) for name in free):
    raise ValueError(
      f"All scores of {free} are zero and rank nothing. A batch norm behind a"
      " masked layer does that (tie its scale and offset to the layer), and so"
      " does a loss that does not depend on the parameters."
    )
  return host, free


def _num_kept(total: int, sparsity: float) -> int:
  kept = total - round(total * sparsity)
  if kept == 0:
    raise ValueError(
      f"sparsity {sparsity} keeps none of {total} entries; lower it."
    )
  return kept


def _top(values: np.ndarray, num: int) -> np.ndarray:
  """Boolean mask of the `num` largest, the earlier ones among equals."""
  num = min(num, values.size)
  kept = np.zeros(values.size, bool)
  if num == 0:
    return kept
  # In linear time: ImageNet's VGG-19 has 143 million entries.
  threshold = np.partition(values, values.size - num)[values.size - num]
  kept[values > threshold] = True
  ties = np.flatnonzero(values == threshold)
  kept[ties[: num - int(kept.sum())]] = True
  return kept


def _finish(
  host: Mapping[str, np.ndarray],
  pieces: Mapping[str, np.ndarray],
  on_collapse: OnCollapse,
) -> structures.Masks:
  """Masks in the shapes of the scores, after looking for empty layers."""
  masks = {
    name: np.asarray(pieces[name], np.float32).reshape(score.shape)
    if name in pieces
    else np.ones(score.shape, np.float32)
    for name, score in host.items()
  }
  empty = collapsed(masks)
  if empty:
    on_collapse(empty)
  return {name: jnp.asarray(mask) for name, mask in masks.items()}


def _collapse_text(layers: Sequence[str]) -> str:
  return (
    f"The mask leaves nothing of {list(layers)}, and no signal passes: lower"
    " the sparsity, ask for min_kept=1, protect these layers, or prune each"
    " layer by the same part."
  )
