"""Starting a basis from the principal components of the data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import coords, networks


def test_components_are_those_of_the_singular_value_decomposition():
  # Fails if the smallest components are taken, or in ascending order.
  values = np.random.default_rng(0).normal(size=(40, 12, 2))
  values *= np.linspace(3, 0.1, 12)[:, None]
  found = networks.principal_components(values, 4)
  rows = np.moveaxis(values, 2, 1).reshape(-1, 12)
  _, _, expected = np.linalg.svd(rows - rows.mean())
  overlap = np.abs(found.T @ expected[:4].T) / np.sqrt(12)
  np.testing.assert_allclose(overlap, np.eye(4), atol=1e-5)
  np.testing.assert_allclose(np.mean(found**2, axis=0), 1, rtol=1e-5)
  # The solver's sign is not ours.
  assert (found[np.abs(found).argmax(axis=0), range(4)] > 0).all()


@pytest.mark.parametrize("number", [0, 13])
def test_impossible_numbers_of_components_are_refused(number):
  with pytest.raises(ValueError, match="num_components"):
    networks.principal_components(np.zeros((2, 12, 1)), number)


def test_fitting_reaches_the_targets():
  # Fails if the weights are not solved for, or the error is not of the result.
  network = networks.make_siren(
    networks.SirenConfig(
      depth=2, width=32, w0=5.0, modulate=("readout",), basis_dim=3
    )
  )
  params = network.init(jax.random.key(0))
  points = coords.coordinate_grid((8, 8))
  targets = np.stack(
    [
      np.sqrt(2) * np.cos(np.pi * k * (points[:, 0] + 1) / 2) for k in (1, 2, 3)
    ],
    axis=1,
  ).astype(np.float32)
  fitted, error = networks.fit_basis(
    network, params, points, jnp.asarray(targets), num_steps=60
  )
  basis = network.features(fitted, points) @ fitted["basis"]["w"]
  assert error < 0.02
  np.testing.assert_allclose(np.mean((basis - targets) ** 2), error, rtol=1e-2)
  assert not np.any(fitted["~"]["w"])
  assert jax.tree.structure(fitted) == jax.tree.structure(params)


def test_a_network_without_that_basis_is_refused():
  network = networks.make_siren(networks.SirenConfig(depth=2, width=8))
  params = network.init(jax.random.key(0))
  with pytest.raises(ValueError, match="basis_dim"):
    networks.fit_basis(network, params, jnp.zeros((4, 2)), jnp.zeros((4, 3)))
