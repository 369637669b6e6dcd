"""Units that do nothing leave the network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import networks, sparsity
from inrjax.networks import compact

KEY = jax.random.key(0)
CONFIG = networks.SirenConfig(depth=3, width=8, w0=5.0)
COORDS = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (9, 2)), "f4")


def silenced():
  """A network with units 1, 4 of the first and 0 of the third layer closed."""
  network = networks.make_siren(CONFIG)
  params = network.init(KEY)
  grouping = sparsity.PerUnit()
  gates = jax.tree.map(
    jnp.ones_like, grouping.init(params, network.roles(params))
  )
  gates["first"]["unit"] = gates["first"]["unit"].at[jnp.array([1, 4])].set(0)
  (stack,) = set(gates) - {"first"}
  gates[stack]["unit"] = gates[stack]["unit"].at[1, 0].set(0)
  factors = grouping.spread(gates, params)
  return network, jax.tree.map(jnp.multiply, factors, params)


def test_the_smaller_network_is_the_masked_one():
  # Fails if a row or column of the wrong layer leaves.
  network, params = silenced()
  small = compact.without_silent_units(compact.layers(params))
  shapes = [layer.weights.shape for layer in small]
  assert shapes == [(2, 6), (6, 8), (8, 7), (7, 3)]
  np.testing.assert_allclose(
    compact.apply_layers(small, COORDS, w0=CONFIG.w0),
    network.apply(params, COORDS),
    atol=1e-5,
  )


def test_a_layer_without_units_is_named():
  network, params = silenced()
  params["first"] = jax.tree.map(jnp.zeros_like, params["first"])
  with pytest.raises(ValueError, match="Layer 0"):
    compact.without_silent_units(compact.layers(params))


def test_parameters_of_another_network_are_refused():
  modulated = networks.make_siren(
    networks.SirenConfig(depth=2, width=4, modulate=("shift",))
  ).init(KEY)
  with pytest.raises(ValueError, match="without modulations"):
    compact.layers(modulated)
