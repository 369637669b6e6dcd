"""SIREN and its modulations against layers written out by hand."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import networks
from inrjax.networks import siren

CONFIG = siren.SirenConfig(depth=4, width=16, w0=20.0, in_dim=2, out_dim=3)
COORDS = np.random.default_rng(0).uniform(-1, 1, (11, 2)).astype(np.float32)
HIDDEN = "__layer_stack_with_per_layer/hidden"


def make(**changes):
  config = dataclasses.replace(CONFIG, **changes)
  network = networks.make_siren(config)
  return config, network, network.init(jax.random.key(0))


def randomised(params):
  """Every parameter moved, so that zeros do not hide a wrong place."""
  leaves, treedef = jax.tree.flatten(params)
  generator = np.random.default_rng(1)
  return jax.tree.unflatten(
    treedef,
    [
      x + jnp.asarray(generator.normal(0, 0.05, x.shape), x.dtype)
      for x in leaves
    ],
  )


def by_hand(config, params, modulations, coords):
  """The formulas of the module's docstring, one layer after the other."""
  params = jax.tree.map(np.asarray, params)
  zero = np.zeros((config.depth, 1))
  shift = modulations.get("shift", zero)
  scale = modulations.get("scale", zero)
  h = np.asarray(coords, np.float64)
  for layer in range(config.depth):
    if layer == 0:
      w, b = params["first"]["w"], params["first"]["b"]
    else:
      w = params[HIDDEN]["w"][layer - 1]
      b = params[HIDDEN]["b"][layer - 1]
    h = np.sin(config.w0 * ((1 + scale[layer]) * (h @ w) + b + shift[layer]))
  features = h
  if config.basis_dim:
    h = h @ params["basis"]["w"]
  readout = params["~"]["w"] + modulations.get("readout", 0)
  return h @ readout + params["~"]["b"], features


@pytest.mark.parametrize(
  "modulate",
  [
    chosen
    for size in range(4)
    for chosen in itertools.combinations(siren.MODULATIONS, size)
  ],
  ids="+".join,
)
@pytest.mark.parametrize("basis_dim", [None, 5])
def test_network_is_its_formula(modulate, basis_dim):
  # Fails if a modulation is applied at another place or layer, the stack's
  # order is reversed, or w0 misses a term.
  config, network, params = make(modulate=modulate, basis_dim=basis_dim)
  params = randomised(params)
  modulations = {name: np.asarray(params["~"][name]) for name in modulate}
  values, features = by_hand(config, params, modulations, COORDS)
  np.testing.assert_allclose(network.apply(params, COORDS), values, atol=2e-4)
  np.testing.assert_allclose(
    network.features(params, COORDS), features, atol=2e-4
  )


@pytest.mark.parametrize("depth", [1, 2])
def test_shallow_networks(depth):
  # Fails if the stack is built for a network without hidden layers.
  config, network, params = make(depth=depth, modulate=("shift",))
  params = randomised(params)
  values, _ = by_hand(
    config, params, {"shift": np.asarray(params["~"]["shift"])}, COORDS
  )
  np.testing.assert_allclose(network.apply(params, COORDS), values, atol=1e-5)


@pytest.mark.parametrize("hidden", [(), (7,), (7, 9)])
def test_latent_map(hidden):
  # Fails if the map's output is cut into the kinds in another order, or a
  # hidden layer or its nonlinearity is left out.
  config, network, params = make(
    modulate=("shift", "scale", "readout"),
    latent_dim=6,
    latent_map_widths=hidden,
  )
  params = randomised(params)
  h = np.asarray(params["~"]["latent"])
  for i in range(len(hidden)):
    layer = params[f"latent_map_hidden_{i}"]
    h = np.maximum(h @ np.asarray(layer["w"]) + np.asarray(layer["b"]), 0)
  modulations = {}
  for name, shape in config.modulation_shapes().items():
    layer = params[f"latent_map_{name}"]
    flat = h @ np.asarray(layer["w"]) + np.asarray(layer.get("b", 0.0))
    modulations[name] = flat.reshape(shape)
    # A bias next to a linear map would duplicate the layers' own.
    assert ("b" in layer) == bool(hidden)
  values, _ = by_hand(config, params, modulations, COORDS)
  np.testing.assert_allclose(network.apply(params, COORDS), values, atol=3e-5)


def test_initialisation_is_sitzmanns():
  # Fails if a bound loses its root, its w0, or its fan in; the first layer's
  # has neither root nor w0.
  config, _, params = make(width=256, depth=6)
  hidden = np.sqrt(6 / config.width) / config.w0
  for values, bound in (
    (params["first"]["w"], 1 / config.in_dim),
    (params["first"]["b"], 1 / np.sqrt(config.in_dim)),
    (params[HIDDEN]["w"], hidden),
    (params[HIDDEN]["b"], 1 / np.sqrt(config.width)),
    (params["~"]["w"], hidden),
  ):
    largest = np.abs(values).max()
    assert 0.95 * bound < largest <= bound
    # Uniform and not, say, normal: the deviation of U(-a, a) is a / sqrt 3.
    np.testing.assert_allclose(np.std(values), bound / np.sqrt(3), rtol=0.1)
  np.testing.assert_array_equal(params["~"]["b"], config.out_bias)


def test_layers_start_apart():
  # Fails if the stack gives every layer the same key.
  _, _, params = make()
  first, second = params[HIDDEN]["w"][0], params[HIDDEN]["w"][1]
  assert not np.allclose(first, second)


def test_activations_keep_their_size_through_the_depth():
  # Fails if the hidden bound is off: Sitzmann's theorem 1 gives each sine an
  # argument of deviation about 1 and so an output of deviation about 0.66.
  for depth in (2, 12):
    _, network, params = make(width=256, depth=depth)
    deviation = np.std(network.features(params, COORDS))
    assert 0.55 < deviation < 0.75


def test_modulations_at_zero_are_the_plain_network():
  _, plain, params = make()
  _, modulated, more = make(modulate=siren.MODULATIONS, latent_dim=None)
  joined = params | {"~": more["~"] | params["~"]}
  for name in siren.MODULATIONS:
    assert not np.any(joined["~"][name])
  np.testing.assert_array_equal(
    modulated.apply(joined, COORDS), plain.apply(params, COORDS)
  )


def test_number_of_modulations():
  config, _, params = make(modulate=siren.MODULATIONS, basis_dim=5)
  count = sum(params["~"][name].size for name in siren.MODULATIONS)
  assert config.num_modulations() == count == 2 * 4 * 16 + 5 * 3


@pytest.mark.parametrize(
  "changes",
  [
    {"depth": 5},
    {"width": 17},
    {"w0": 21.0},
    {"out_bias": 0.25},
    {"modulate": ("scale",)},
    {"latent_dim": None},
    {"latent_map_widths": (4,)},
    {"basis_dim": 6},
  ],
  ids=str,
)
def test_every_choice_changes_the_network(changes):
  # Fails if a field of the config is read nowhere.
  def program(config):
    network = networks.make_siren(config)

    def initialise_and_apply(key):
      return network.apply(network.init(key), COORDS)

    return str(jax.make_jaxpr(initialise_and_apply)(jax.random.key(0)))

  base = dataclasses.replace(CONFIG, modulate=("shift",), latent_dim=4)
  assert program(dataclasses.replace(base, **changes)) != program(base)


@pytest.mark.parametrize(
  "changes",
  [
    {"depth": 0},
    {"width": -1},
    {"basis_dim": 0},
    {"w0": 0.0},
    {"w0": float("inf")},
    {"w0": float("nan")},
    {"modulate": ("shfit",)},
    {"latent_dim": 0, "modulate": ("shift",)},
    {"latent_dim": 4},
    {"latent_map_widths": (4,), "modulate": ("shift",)},
  ],
  ids=str,
)
def test_impossible_choices_are_refused(changes):
  with pytest.raises(ValueError, match="must|needs|choose|modulate"):
    dataclasses.replace(CONFIG, **changes)
