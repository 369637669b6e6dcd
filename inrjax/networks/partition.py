"""Which parameters are shared by all signals and which are fast.

MAML adapts weights and biases, CAVIA and COIN++ a latent vector, MSCN shift
modulations: the methods differ in this value, not in their loops.
"""

from typing import NamedTuple

import jax

from inrjax.types import PyTree


class Partition(NamedTuple):
  """Splits a parameter tree in two and joins it again.

  Attributes:
    fast_roles: the roles (`Network.roles`) that the inner loop adapts.
    roles: a tree of role names, like the parameters.
  """

  fast_roles: frozenset[str]
  roles: PyTree

  def split(self, params: PyTree) -> tuple[PyTree, PyTree]:
    """`params -> (shared, fast)`; modules left without leaves are dropped."""
    return self._select(params, fast=False), self._select(params, fast=True)

  def _select(self, params: PyTree, *, fast: bool) -> PyTree:
    selected = {}
    for module, leaves in params.items():
      kept = {
        name: leaf
        for name, leaf in leaves.items()
        if (self.roles[module][name] in self.fast_roles) == fast
      }
      if kept:
        selected[module] = kept
    return selected

  @staticmethod
  def join(shared: PyTree, fast: PyTree) -> PyTree:
    """The parameter tree whose leaves are those of both arguments."""
    joined = {module: dict(leaves) for module, leaves in shared.items()}
    for module, leaves in fast.items():
      joined.setdefault(module, {}).update(leaves)
    return joined


def make_partition(roles: PyTree, fast_roles: tuple[str, ...]) -> Partition:
  """A partition in which the parameters of the named roles are fast.

  Args:
    roles: tree of role names (`Network.roles(params)`).
    fast_roles: for example `("modulation",)` for CAVIA, COIN++ and MSCN,
      `("weight", "bias")` for MAML.

  Raises:
    ValueError: if no parameter has one of the roles.
  """
  present = set(jax.tree.leaves(roles))
  missing = sorted(set(fast_roles) - present)
  if missing or not fast_roles:
    raise ValueError(
      f"No parameter has the fast roles {missing or list(fast_roles)}; the "
      f"network has {sorted(present)}. Modulations exist only where the "
      "network's `modulate` names them."
    )
  return Partition(frozenset(fast_roles), roles)
