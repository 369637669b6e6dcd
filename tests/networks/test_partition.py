"""Shared and fast halves of a parameter tree."""

import jax
import numpy as np
import pytest

from inrjax import networks


def make(**changes):
  network = networks.make_siren(
    networks.SirenConfig(
      depth=3, width=8, modulate=("shift", "scale"), **changes
    )
  )
  params = network.init(jax.random.key(0))
  return network, params


@pytest.mark.parametrize(
  "fast_roles",
  [("modulation",), ("weight", "bias"), ("bias",), ("modulation", "bias")],
  ids="+".join,
)
def test_split_and_join_are_inverse(fast_roles):
  # Fails if a leaf is lost, doubled or moved to another module.
  network, params = make()
  partition = networks.make_partition(network.roles(params), fast_roles)
  shared, fast = partition.split(params)
  assert len(jax.tree.leaves(shared)) + len(jax.tree.leaves(fast)) == len(
    jax.tree.leaves(params)
  )
  joined = partition.join(shared, fast)
  assert jax.tree.structure(joined) == jax.tree.structure(params)
  jax.tree.map(np.testing.assert_array_equal, joined, params)


def test_cavia_and_maml_differ_in_the_partition_alone():
  # Fails if a role is given by a part of a name.
  network, params = make(latent_dim=4)
  roles = network.roles(params)
  _, cavia = networks.make_partition(roles, ("modulation",)).split(params)
  _, maml = networks.make_partition(roles, ("weight", "bias")).split(params)
  assert jax.tree.map(np.shape, cavia) == {"~": {"latent": (4,)}}
  assert set(maml["~"]) == {"w", "b"}
  # The latent's map is shared in CAVIA and not a modulation itself.
  assert "latent_map_shift" in maml


def test_join_leaves_its_arguments_alone():
  # Fails if the shared half is updated in place.
  network, params = make()
  partition = networks.make_partition(network.roles(params), ("modulation",))
  shared, fast = partition.split(params)
  before = jax.tree.structure(shared)
  partition.join(shared, fast)
  assert jax.tree.structure(shared) == before


@pytest.mark.parametrize("fast_roles", [(), ("modulaton",), ("weight", "gain")])
def test_roles_that_nothing_has_are_refused(fast_roles):
  network, params = make()
  with pytest.raises(ValueError, match="fast roles"):
    networks.make_partition(network.roles(params), fast_roles)


def test_an_undeclared_parameter_has_no_role():
  network, params = make()
  with pytest.raises(KeyError, match="gain"):
    network.roles(params | {"extra": {"gain": np.zeros(())}})
