"""The Fourier feature network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import networks

KEY = jax.random.key(0)
CONFIG = networks.FourierConfig(depth=3, width=8, sigma=2.0)


def coords():
  return jnp.asarray(np.random.default_rng(0).uniform(0, 1, (7, 2)), "f4")


def test_forward_is_a_numpy_loop():
  # Fails if a layer, 2 pi, or the order of sines and cosines is off.
  network = networks.make_fourier(CONFIG)
  params = network.init(KEY)
  (stack,) = [v for k, v in params.items() if k != "~"]
  readout = params["~"]
  phases = 2 * np.pi * np.asarray(coords()) @ np.asarray(readout["frequencies"])
  h = np.concatenate([np.sin(phases), np.cos(phases)], axis=1)
  for w, b in zip(stack["w"], stack["b"], strict=True):
    h = np.maximum(h @ np.asarray(w) + np.asarray(b), 0)
  expected = h @ np.asarray(readout["w"]) + np.asarray(readout["b"])
  found = network.apply(params, coords())
  assert found.shape == (7, 3)
  np.testing.assert_allclose(found, expected, atol=2e-5)
  np.testing.assert_allclose(network.features(params, coords()), h, atol=2e-5)


def test_frequencies_are_drawn_with_sigma_and_never_trained():
  # Fails if sigma is dropped, or the outer loop moves the first layer.
  wide = networks.make_fourier(networks.FourierConfig(depth=1, width=4000))
  params = wide.init(KEY)
  assert 19 < jnp.std(params["~"]["frequencies"]) < 21
  assert wide.roles(params)["~"]["frequencies"] == "constant"
  grads = jax.grad(lambda p: jnp.sum(wide.apply(p, coords())))(params)
  assert not np.any(grads["~"]["frequencies"]) and np.any(grads["~"]["w"])


@pytest.mark.parametrize(
  "changes", [{"width": 7}, {"sigma": 0.0}, {"depth": 0}]
)
def test_impossible_shapes_are_named(changes):
  (name,) = changes
  with pytest.raises(ValueError, match=name):
    networks.FourierConfig(**{"depth": 2, "width": 4} | changes)


def test_make_network_knows_both_kinds():
  siren = networks.SirenConfig(depth=2, width=4)
  for config in (CONFIG, siren):
    params = networks.make_network(config).init(KEY)
    assert ("frequencies" in params["~"]) == (config is CONFIG)
