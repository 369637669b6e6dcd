"""Masks that remove the least of the surviving parameters, and when.

A mask is a tree of ones and zeros like the fast parameters; parameters of roles
that are not pruned keep their ones. Scores say what is kept: magnitudes
(Meta-SparseINR, algorithm 1) or chance (its baseline).
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from inrjax.types import Array, PyTree

# (key, fast) -> a score for each parameter, a tree like `fast`.
Score = Callable[[Array, PyTree], PyTree]


def magnitude(key: Array, fast: PyTree) -> PyTree:
  """|theta|: one threshold for all layers (Meta-SparseINR, step 2)."""
  del key
  return jax.tree.map(jnp.abs, fast)


def chance(key: Array, fast: PyTree) -> PyTree:
  """Uniform in [0, 1): the baseline "random pruning"."""
  leaves, treedef = jax.tree.flatten(fast)
  keys = jax.random.split(key, len(leaves))
  scores = [
    jax.random.uniform(k, leaf.shape, leaf.dtype)
    for k, leaf in zip(keys, leaves, strict=True)
  ]
  return jax.tree.unflatten(treedef, scores)


class Survivors(NamedTuple):
  """How much of a network is left.

  Attributes:
    prunable: parameters of the pruned roles that survive.
    prunable_total: parameters of the pruned roles.
    stored: all fast parameters that survive, unpruned roles included.
    stored_total: all fast parameters.
  """

  prunable: int
  prunable_total: int
  stored: int
  stored_total: int


def survivors(
  mask: PyTree, roles: PyTree, pruned_roles: tuple[str, ...]
) -> Survivors:
  """Counts of a concrete mask.

  Args:
    mask: the mask.
    roles: role of every parameter (`Network.roles`), holding at least those of
      the mask.
    pruned_roles: the roles that pruning looks at.
  """
  counts = np.zeros(4, int)
  for module, leaves in mask.items():
    for name, leaf in leaves.items():
      present, size = int(np.sum(np.asarray(leaf) != 0)), leaf.size
      if roles[module][name] in pruned_roles:
        counts[:2] += present, size
      counts[2:] += present, size
  return Survivors(*map(int, counts))


def keep_largest(
  mask: PyTree,
  scores: PyTree,
  num_kept: Array | int,
  *,
  roles: PyTree,
  pruned_roles: tuple[str, ...],
) -> PyTree:
  """The surviving parameters with the largest scores; ties by position.

  Args:
    mask: the mask so far; what it has removed stays removed.
    scores: one for each parameter, a tree like the mask.
    num_kept: parameters of the pruned roles to keep, `[]` int; may be traced.
    roles: role of every parameter.
    pruned_roles: the roles that pruning looks at; others keep their mask.

  Returns:
    The new mask. With fewer survivors than `num_kept` it is the old one.
  """
  chosen = [
    (module, name)
    for module, leaves in mask.items()
    for name in leaves
    if roles[module][name] in pruned_roles
  ]
  if not chosen:
    raise ValueError(f"No parameter has a role of {pruned_roles} to prune.")
  flat = jnp.concatenate(
    [
      jnp.where(mask[m][n] != 0, scores[m][n], -jnp.inf).ravel()
      for m, n in chosen
    ]
  )
  order = jnp.argsort(-flat, stable=True)
  rank = jnp.zeros(flat.shape, int).at[order].set(jnp.arange(flat.size))
  kept = (rank < num_kept) & (flat > -jnp.inf)
  result = {module: dict(leaves) for module, leaves in mask.items()}
  start = 0
  for module, name in chosen:
    leaf = mask[module][name]
    piece = kept[start : start + leaf.size].reshape(leaf.shape)
    result[module][name] = piece.astype(leaf.dtype)
    start += leaf.size
  return result


@dataclasses.dataclass(frozen=True)
class Schedule:
  """When pruning happens and what it leaves.

  Attributes:
    num_dense_steps: outer steps before the first round (tau, "pre-training").
    num_round_steps: outer steps between two rounds (tau~, "retraining").
    ratio: gamma, fraction of the surviving parameters that a round removes; 0.2
      in the paper.
    num_rounds: rounds; after all of them (1 - ratio)^num_rounds is left.
  """

  num_dense_steps: int
  num_round_steps: int
  ratio: float
  num_rounds: int

  def __post_init__(self) -> None:
    if self.num_dense_steps < 0 or self.num_round_steps < 1:
      raise ValueError(
        "Pruning needs num_dense_steps >= 0 and num_round_steps >= 1, got "
        f"{self.num_dense_steps} and {self.num_round_steps}."
      )
    if not 0 <= self.ratio < 1:
      raise ValueError(
        f"ratio is {self.ratio}; each round removes a fraction in [0, 1)."
      )
    if self.num_rounds < 0:
      raise ValueError(f"num_rounds must not be negative: {self.num_rounds}.")

  @property
  def steps(self) -> tuple[int, ...]:
    """Outer steps done when a round begins, for each round."""
    return tuple(
      self.num_dense_steps + i * self.num_round_steps
      for i in range(self.num_rounds)
    )

  @property
  def num_steps(self) -> int:
    """All outer steps."""
    return self.num_dense_steps + self.num_rounds * self.num_round_steps

  def num_kept(self, total: int, num_layers: int = 1) -> tuple[int, ...]:
    """Parameters kept after each round.

    Args:
      total: parameters of the pruned roles.
      num_layers: tensors they form.

    Raises:
      ValueError: if fewer than one parameter per tensor would be left.
    """
    kept = tuple(
      round(total * (1 - self.ratio) ** (i + 1)) for i in range(self.num_rounds)
    )
    if kept and kept[-1] < num_layers:
      raise ValueError(
        f"{self.num_rounds} rounds at ratio {self.ratio} leave {kept[-1]} of "
        f"{total} parameters, fewer than one for each of {num_layers} layers; "
        "prune less."
      )
    return kept


class EmptyLayerWarning(UserWarning):
  """Pruning has left a layer with nothing: the network is cut there."""


def empty_layers(mask: PyTree) -> list[str]:
  """Names of the layers (leading axes count apart) with nothing left."""
  empty = []
  for module, leaves in mask.items():
    for name, leaf in leaves.items():
      layers = np.asarray(leaf)
      if layers.ndim < 3:
        layers = layers[np.newaxis]
      for index, layer in enumerate(layers):
        if not layer.any():
          which = f"[{index}]" if len(layers) > 1 else ""
          empty.append(f"{module}/{name}{which}")
  return empty
