"""Which parameters survive: by layer, and again at another budget.

MSCN figure 4 (a) shows the share of each layer, figure 5 how much of a small
budget's pattern a larger budget uses again, against chance.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from inrjax.evaluate import files
from inrjax.meta import method as method_lib
from inrjax.sparsity import gates as gates_lib
from inrjax.sparsity import groups
from inrjax.types import PyTree


class Reuse(NamedTuple):
  """How much of a small pattern is in a larger one.

  Attributes:
    fraction: of the small pattern's parameters that the larger has too.
    chance: what is expected of a larger pattern drawn at random.
  """

  fraction: float
  chance: float


def present(method: method_lib.Method, outer: method_lib.Outer) -> PyTree:
  """1 for what a signal's description holds, 0 for the rest.

  That is what is not pruned and behind an open gate. Where gates take whole
  units out of the network, the weights that read them go too.

  Args:
    method: any method that adapts weights.
    outer: what training learned.
  """
  fast = method.initial_fast(outer)
  found = outer.mask or method_lib.full_mask(fast)
  if method.gates is None:
    return found
  is_open = gates_lib.open_gates(outer.log_alpha, method.gates.distribution)
  factors = method.gates.grouping.spread(
    jax.tree.map(lambda x: x.astype(jnp.float32), is_open), fast
  )
  found = jax.tree.map(jnp.multiply, found, factors)
  units_go = isinstance(method.gates.grouping, groups.PerUnit)
  if units_go and method.gates.on == "values":
    found = _without_readers(found)
  return found


def by_layer(
  present: PyTree, roles: PyTree, pruned_roles: tuple[str, ...]
) -> list[dict[str, Any]]:
  """Survivors of each layer, in the order of the network.

  Args:
    present: tree of ones and zeros.
    roles: role of every parameter (`Network.roles`).
    pruned_roles: the roles that are counted.

  Returns:
    Records of "open" and "size".
  """
  layers = []
  for module in _in_order(present):
    chosen = [
      np.asarray(leaf)
      for name, leaf in sorted(present[module].items())
      if roles[module][name] in pruned_roles
    ]
    if not chosen:
      continue
    rows = chosen if "layer_stack" in module else [x[None] for x in chosen]
    for same in zip(*rows, strict=True):
      layers.append(
        {
          "open": int(sum(np.sum(x != 0) for x in same)),
          "size": int(sum(x.size for x in same)),
        }
      )
  return layers


def flat(
  present: PyTree, roles: PyTree, pruned_roles: tuple[str, ...]
) -> np.ndarray:
  """`[L]` bool: the counted parameters in the order of `by_layer`."""
  pieces = [
    np.asarray(leaf).ravel() != 0
    for module in _in_order(present)
    for name, leaf in sorted(present[module].items())
    if roles[module][name] in pruned_roles
  ]
  return np.concatenate(pieces)


def reuse(few: np.ndarray, many: np.ndarray) -> Reuse:
  """How much of a small budget's pattern a larger one uses again (fig. 5).

  Args:
    few: `[L]` bool, at least one True.
    many: `[L]` bool, of another run.

  Raises:
    ValueError: for patterns of two networks, or nothing to use again.
  """
  if few.shape != many.shape:
    raise ValueError(
      f"The patterns have {few.size} and {many.size} parameters: they belong "
      "to different networks."
    )
  if not few.any():
    raise ValueError("Everything is closed in the pattern with fewer.")
  return Reuse(float(many[few].mean()), float(many.mean()))


def write(
  path: str | os.PathLike[str], found: Mapping[str, np.ndarray]
) -> None:
  """Keeps patterns, eight parameters to the byte.

  Args:
    path: an `.npz` archive.
    found: `[L]` bool each, by name.
  """
  packed = {name: np.packbits(pattern) for name, pattern in found.items()}
  sizes = {f"{name} size": p.size for name, p in found.items()}
  with files.replacing(path) as temporary, open(temporary, "wb") as stream:
    np.savez(stream, allow_pickle=False, **packed, **sizes)


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """What `write` has kept."""
  with np.load(path, allow_pickle=False) as archive:
    return {
      name: np.unpackbits(archive[name], count=int(archive[f"{name} size"])) > 0
      for name in archive.files
      if not name.endswith(" size")
    }


def _in_order(modules: PyTree) -> list[str]:
  """The names of the modules, first layer to readout."""
  return sorted(modules, key=lambda name: (name == "~", name != "first"))


def _without_readers(found: PyTree) -> PyTree:
  """Drops the weights that read a unit which has no weights and no bias."""
  result = {module: dict(leaves) for module, leaves in found.items()}
  heard = None  # Of the layer before: `[units]` ones and zeros.
  for module in _in_order(found):
    w, b = found[module]["w"], found[module]["b"]
    stacked = "layer_stack" in module
    rows = []
    for wi, bi in zip(w, b, strict=True) if stacked else [(w, b)]:
      rows.append(wi if heard is None else wi * heard[:, None])
      heard = jnp.maximum(jnp.max(rows[-1], axis=0), bi)
    result[module]["w"] = jnp.stack(rows) if stacked else rows[0]
  return result
