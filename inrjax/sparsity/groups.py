"""Which fast parameters share a gate.

MSCN 3.2: gates may be applied at any point, one to each parameter, or one to a
set of them so that whole units go. A grouping says what tree the gate
parameters form, and spreads a tree of gates over the fast parameters.

Trees here are Haiku's: modules of named arrays.
"""

import dataclasses
from typing import Protocol

import jax.numpy as jnp

from inrjax.types import Array, PyTree


class Grouping(Protocol):
  """Shapes of the gates, and what each of them multiplies."""

  def init(self, fast: PyTree, roles: PyTree) -> PyTree:
    """Zeros, one for each gate of the fast parameters with these roles."""
    ...

  def spread(self, gates: PyTree, fast: PyTree) -> PyTree:
    """Factors for the fast parameters; broadcasts to them, 1 where ungated."""
    ...


@dataclasses.dataclass(frozen=True)
class PerParameter:
  """One gate for each fast parameter.

  Attributes:
    roles: only parameters of these roles have gates, for example `("weight",)`
      to leave biases dense (MSCN table 4, "Sparsify Biases"); None is all.
  """

  roles: tuple[str, ...] | None = None

  def init(self, fast: PyTree, roles: PyTree) -> PyTree:
    """A tree like the gated part of the fast parameters.

    Raises:
      ValueError: if no fast parameter has one of the roles.
    """
    gates = {}
    for module, leaves in fast.items():
      chosen = {
        name: jnp.zeros(leaf.shape, leaf.dtype)
        for name, leaf in leaves.items()
        if self.roles is None or roles[module][name] in self.roles
      }
      if chosen:
        gates[module] = chosen
    if not gates:
      raise ValueError(f"No fast parameter has a role of {self.roles} to gate.")
    return gates

  def spread(self, gates: PyTree, fast: PyTree) -> PyTree:
    """The gates themselves, and 1 for what has none."""
    return {
      module: {
        name: gates.get(module, {}).get(name, jnp.ones_like(leaf))
        for name, leaf in leaves.items()
      }
      for module, leaves in fast.items()
    }


@dataclasses.dataclass(frozen=True)
class PerUnit:
  """One gate for each unit of a layer, shared by its weights and its bias.

  A sine unit with zero weights and bias outputs sin(0) = 0, so a closed gate
  takes the unit out of the network (`networks.compact` makes it smaller).

  Attributes:
    protected: modules without gates; the readout "~" makes the values.
  """

  protected: tuple[str, ...] = ("~",)

  def init(self, fast: PyTree, roles: PyTree) -> PyTree:
    """Per module `{"unit": [..., units]}`.

    Raises:
      ValueError: if every module of the fast parameters is protected.
    """
    gates = {
      module: {
        "unit": jnp.zeros(
          leaves["w"].shape[:-2] + leaves["w"].shape[-1:], leaves["w"].dtype
        )
      }
      for module, leaves in fast.items()
      if module not in self.protected and roles[module].get("w") == "weight"
    }
    if not gates:
      raise ValueError(
        "No unit can be gated: the fast parameters are "
        f"{sorted(fast)} and {[*self.protected]} are protected."
      )
    return gates

  def spread(self, gates: PyTree, fast: PyTree) -> PyTree:
    """Each unit's gate for its column of weights and its bias."""

    def factor(module: str, name: str, leaf: Array) -> Array:
      if module not in gates:
        return jnp.ones_like(leaf)
      unit: Array = gates[module]["unit"]
      return unit[..., None, :] if name == "w" else unit

    return {
      module: {
        name: factor(module, name, leaf) for name, leaf in leaves.items()
      }
      for module, leaves in fast.items()
    }
