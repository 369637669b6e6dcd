"""Tiles that are whole images are worked on in parts of their points."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import codec
from inrjax.codec import (
  gradient_scaling,
  sparse_network,
  sparse_spec,
  tile_network,
)
from inrjax.meta import recipes
from inrjax.networks import siren
from tests.codec import tiny_codec

SIDE, WIDTH = 8, 6
MODULATED = codec.ModulatedSpec(
  network=siren.SirenConfig(
    depth=2, width=WIDTH, w0=10.0, modulate=("shift",), latent_dim=4
  ),
  rates=recipes.InnerRates(0.1, 0.1),
  num_steps=2,
  side=SIDE,
)
SPARSE = sparse_spec.SparseSpec(
  siren.SirenConfig(depth=2, width=WIDTH, w0=10.0), side=SIDE, num_steps=4
)
SPECS = {
  "modulated": MODULATED,
  "scaled": dataclasses.replace(
    MODULATED, scaling=codec.GradientScaling("norm", 0.5)
  ),
  "sparse": SPARSE,
  "pruned_at_start": dataclasses.replace(
    SPARSE, num_kept=(40,), at_start=sparse_spec.AtStart("prospr", num_steps=1)
  ),
}


def network_of(spec):
  outer = jax.jit(spec.method().init)(jax.random.key(0))
  if isinstance(spec, codec.ModulatedSpec):
    return tile_network.TileNetwork(spec, outer)
  return sparse_network.SparseNetwork(spec, sparse_network.prepare(spec, outer))


def programs_of(network, tiles):
  """The texts of what fits, and of what rounds."""
  fast = np.zeros((len(tiles), network.fit(tiles).shape[1]), np.float32)
  return [
    network._fit(0).lower(tiles).as_text(),
    network._error_and_gradient.lower(fast, tiles).as_text(),
  ]


@pytest.mark.parametrize("name", SPECS)
def test_parts_give_what_the_whole_gives(name, monkeypatch):
  tiles = np.stack([tiny_codec.picture(SIDE, SIDE, seed=s) for s in (0, 1)])
  tiles = tiles.astype(np.float32) / 255
  whole = network_of(SPECS[name])
  monkeypatch.setattr(tile_network, "_POINTS", 10)  # And a rest of 4.
  monkeypatch.setattr(gradient_scaling, "_TILE", 10)
  parts = network_of(SPECS[name])
  expected, found = whole.fit(tiles), parts.fit(tiles)
  np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
  for a, b in zip(
    parts.error_and_gradient(expected, tiles),
    whole.error_and_gradient(expected, tiles),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
  activations = f"{SIDE**2}x{WIDTH}xf32"
  assert all(activations in text for text in programs_of(whole, tiles))
  # Fails if some of the network's activations are of all points.
  assert not any(activations in text for text in programs_of(parts, tiles))


def test_the_metric_of_parts_is_that_of_the_whole(monkeypatch):
  whole = network_of(SPARSE)
  rng = np.random.default_rng(0)
  fast = rng.normal(0, 0.1, (3, whole.num_stored)).astype(np.float32)
  expected = whole.squared_jacobian(fast, num_probes=2, seed=1)
  monkeypatch.setattr(tile_network, "_POINTS", 10)
  found = network_of(SPARSE).squared_jacobian(fast, num_probes=2, seed=1)
  # Fails if a part has random signs of its own, or its own mean.
  np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize("name", ["modulated", "sparse"])
def test_memory_of_a_large_image(name):
  side, width = 1024, 64
  spec = dataclasses.replace(
    SPECS[name],
    network=dataclasses.replace(SPECS[name].network, width=width),
    side=side,
  )
  network = network_of(spec)
  tile = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
  size = network.num_stored
  fast = jax.ShapeDtypeStruct((1, size), jnp.float32)
  programs = [
    network._fit(0).lower(tile),
    network._error_and_gradient.lower(fast, tile),
  ]
  if name == "sparse":
    seed = jax.ShapeDtypeStruct((), jnp.uint32)
    fast = jax.ShapeDtypeStruct((size,), jnp.float32)
    programs.append(jax.jit(network._squared_product).lower(fast, seed))
  layer = 4 * width * side**2
  for program in programs:
    memory = program.compile().memory_analysis()
    # Fails if one layer's activations of all points are there at a time. Copies
    # of the image and of its coordinates are.
    assert memory.temp_size_in_bytes < 0.5 * layer
  # Fails if one image is padded to eight.
  assert network._chunks[0] == 1
