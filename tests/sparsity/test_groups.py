"""Which parameters share a gate."""

import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import sparsity

FAST = {
  "first": {"w": jnp.ones((2, 3)), "b": jnp.ones(3)},
  "stack": {"w": jnp.ones((4, 3, 3)), "b": jnp.ones((4, 3))},
  "~": {"w": jnp.ones((3, 1)), "b": jnp.ones(1)},
}
ROLES = {m: {"w": "weight", "b": "bias"} for m in FAST}


def shapes(tree):
  return {
    m: {n: x.shape for n, x in leaves.items()} for m, leaves in tree.items()
  }


def test_every_parameter_has_a_gate_unless_roles_are_named():
  # Fails if biases are gated where only weights are to be (table 4).
  everything = sparsity.PerParameter().init(FAST, ROLES)
  assert shapes(everything) == shapes(FAST)
  weights = sparsity.PerParameter(roles=("weight",))
  gates = weights.init(FAST, ROLES)
  assert all(list(leaves) == ["w"] for leaves in gates.values())
  spread = weights.spread(gates, FAST)
  assert not np.any(spread["first"]["w"]) and np.all(spread["first"]["b"] == 1)


def test_a_unit_takes_its_weights_and_its_bias():
  # Fails if a gate takes a row of weights, or the readout loses a channel.
  grouping = sparsity.PerUnit()
  gates = grouping.init(FAST, ROLES)
  assert shapes(gates) == {"first": {"unit": (3,)}, "stack": {"unit": (4, 3)}}
  gates["stack"]["unit"] = jnp.ones((4, 3)).at[2, 1].set(0)
  factors = grouping.spread(gates, FAST)
  closed = factors["stack"]["w"] * FAST["stack"]["w"]
  assert not np.any(closed[2, :, 1]) and closed.sum() == 4 * 9 - 3
  assert factors["stack"]["b"][2, 1] == 0
  assert np.all(factors["~"]["w"] == 1)


@pytest.mark.parametrize(
  "grouping",
  [
    sparsity.PerParameter(roles=("modulation",)),
    sparsity.PerUnit(protected=("first", "stack", "~")),
  ],
)
def test_nothing_to_gate_is_an_error(grouping):
  with pytest.raises(ValueError, match="gate"):
    grouping.init(FAST, ROLES)
