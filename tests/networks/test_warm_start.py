"""Starting a basis from the principal components of the data."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import coords, networks, types
from inrjax.meta import recipes
from inrjax.networks import warm_start


@pytest.mark.parametrize("num_signals", [40, 5])
def test_components_are_those_of_the_singular_value_decomposition(num_signals):
  # Fails if the smallest components are taken, or in ascending order; also with
  # fewer rows (10) than points.
  values = np.random.default_rng(0).normal(size=(num_signals, 12, 2))
  values *= np.linspace(3, 0.1, 12)[:, None]
  found = networks.principal_components(values, 4)
  rows = np.moveaxis(values, 2, 1).reshape(-1, 12)
  _, _, expected = np.linalg.svd(rows - rows.mean())
  overlap = np.abs(found.T @ expected[:4].T) / np.sqrt(12)
  np.testing.assert_allclose(overlap, np.eye(4), atol=1e-5)
  np.testing.assert_allclose(np.mean(found**2, axis=0), 1, rtol=1e-5)
  # The solver's sign is not ours.
  assert (found[np.abs(found).argmax(axis=0), range(4)] > 0).all()


@pytest.mark.parametrize("number", [0, 3, 13])
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


SHAPE = (6, 6)
CONFIG = networks.SirenConfig(
  depth=2,
  width=32,
  w0=6.0,
  modulate=("readout", "shift"),
  latent_dim=5,
  basis_dim=8,
)


@pytest.fixture(scope="module")
def signals():
  """Smooth colour patches `[B, N, C]` with a mean colour."""
  points = coords.coordinate_grid(SHAPE)
  rng = np.random.default_rng(0)
  waves = [np.cos(np.pi * (points @ k) / 2 + 0.3) for k in np.eye(2)]
  basis = np.stack([np.ones(len(points)), *waves, waves[0] * waves[1]])
  weights = rng.normal(size=(60, 4, 3)) * np.array([4, 2, 1, 0.5])[:, None]
  mixed = weights @ rng.normal(size=(3, 3))
  values = np.einsum("bkc,kn->bnc", mixed, basis) * 0.03
  return (values + np.array([0.4, 0.5, 0.7])).astype(np.float32)


@pytest.fixture(scope="module")
def started(signals):
  network = networks.make_siren(CONFIG)
  params = network.init(jax.random.key(0))
  points = coords.coordinate_grid(SHAPE)
  return params, warm_start.principal_start(
    CONFIG, params, points, signals, num_steps=150
  )


def test_the_start_is_the_mean_and_keeps_the_parameters(started, signals):
  params, found = started
  shapes = [jax.tree.map(lambda a: (a.shape, a.dtype), p) for p in started]
  assert shapes[0] == shapes[1]
  network = networks.make_siren(CONFIG)
  values = network.apply(found, coords.coordinate_grid(SHAPE))
  # fails if the readout's old weights or bias are left.
  expected = np.broadcast_to(signals.mean(axis=(0, 1)), values.shape)
  np.testing.assert_allclose(values, expected, atol=1e-5)
  # fails if other modulations keep their size, or vanish.
  np.testing.assert_allclose(
    found["latent_map_shift"]["w"], 0.01 * params["latent_map_shift"]["w"]
  )


def test_latents_are_orthogonal_patterns_of_mean_square_one(started):
  _, found = started
  network = networks.make_siren(CONFIG)
  points = coords.coordinate_grid(SHAPE)

  def reconstruct(latent):
    latents = {"~": found["~"] | {"latent": latent}}
    return network.apply(found | latents, points).ravel()

  patterns = jax.jacfwd(reconstruct)(jnp.zeros(5))
  gram = patterns.T @ patterns / len(patterns)
  # fails if the mean over channels is forgotten, or coordinates are
  # transposed.
  np.testing.assert_allclose(gram, np.eye(5), atol=0.1)


def test_one_inner_step_is_the_best_linear_codec(started, signals):
  _, found = started
  method = recipes.modulated(
    network=CONFIG, rates=recipes.InnerRates(0.5, 0.5), num_steps=1
  )
  outer = method.init(jax.random.key(0))
  outer = outer._replace(shared=method.partition.split(found)[0])
  points = jnp.asarray(coords.coordinate_grid(SHAPE))

  def losses(values):
    context = types.Context(points, values)
    return method.adapt(jax.random.key(0), outer, {}, context).losses

  before, after = np.mean(jax.vmap(losses)(jnp.asarray(signals)), axis=0)
  centred = (signals - signals.mean(axis=(0, 1))).reshape(len(signals), -1)
  variances = np.linalg.eigvalsh(centred.T @ centred)[::-1]
  best = variances[5:].sum() / centred.size
  np.testing.assert_allclose(before, np.square(centred).mean(), rtol=1e-3)
  # fails if the latents are not the leading coordinates of the signals.
  assert best <= after * (1 + 1e-3) and after - best < 0.03 * before


@pytest.mark.parametrize(
  "change",
  [
    {"basis_dim": None},
    {"modulate": ("shift",)},
    {"latent_dim": 25},
    # fails if the hidden layers are kept and the map is not the one fitted.
    {"latent_map_widths": (4,)},
  ],
)
def test_networks_without_a_linear_part_are_refused(change):
  config = dataclasses.replace(CONFIG, **change)
  params = networks.make_siren(config).init(jax.random.key(0))
  points = coords.coordinate_grid(SHAPE)
  with pytest.raises(ValueError, match="principal start"):
    warm_start.principal_start(
      config, params, points, np.zeros((2, 36, 3)), num_steps=1
    )


def test_modulations_that_are_parameters_start_too(signals):
  config = dataclasses.replace(CONFIG, latent_dim=None)
  network = networks.make_siren(config)
  params = network.init(jax.random.key(0))
  points = coords.coordinate_grid(SHAPE)
  found = warm_start.principal_start(
    config, params, points, signals, num_steps=2
  )
  assert jax.tree.structure(found) == jax.tree.structure(params)
  values = network.apply(found, points)
  np.testing.assert_allclose(
    values.mean(axis=0), signals.mean(axis=(0, 1)), atol=1e-5
  )
