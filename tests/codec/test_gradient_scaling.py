"""Gradients of the encoder in the scale of training's."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import flatten_util

from inrjax import codec
from inrjax.codec import (
  errors,
  grid_network,
  grid_spec,
  loading,
  model_file,
  spec,
  tile_network,
)
from inrjax.coords import grid, select
from inrjax.meta import method as method_lib
from inrjax.meta import recipes
from inrjax.networks import siren
from inrjax.sparsity import gates as gates_lib
from inrjax.types import Context
from tests.codec import tiny_codec, tiny_grids

SIDE, RATE, RATIO = 8, 0.1, 0.25
PLAIN = codec.ModulatedSpec(
  network=siren.SirenConfig(depth=2, width=16, w0=10.0, modulate=("shift",)),
  rates=recipes.InnerRates(RATE, RATE),
  num_steps=3,
  side=SIDE,
  gates=method_lib.Gates(),
)
SCALINGS = [
  codec.GradientScaling(kind, RATIO, points)
  for kind, points in (
    ("norm", "top_error"),
    ("loss", "top_error"),
    ("norm", "top_gradient_norm"),
  )
]


def outer_of(some_spec):
  return jax.jit(some_spec.method().init)(jax.random.key(0))


def by_hand(method, outer, context, scaling):
  """Descent on all points, with steps of the size that some of them have."""
  score = select.error_norm(method.apply)
  if scaling.select == "top_gradient_norm":
    score = select.gradient_norm(
      method.apply,
      lambda shared, fast, coords: method.network.features(
        method.partition.join(shared, fast), coords
      ),
    )
  state = method.initial_fast(outer)
  z = jax.tree.map(jnp.ones_like, state)
  if method.gates is not None:
    z = gates_lib.estimate(outer.log_alpha, method.gates.distribution)

  def loss(state, part):
    fast = jax.tree.map(jnp.multiply, z, state)
    values = method.apply(outer.shared, fast, part.coords)
    return jnp.mean(jnp.square(values - part.values))

  for _ in range(method.num_steps):
    fast = jax.tree.map(jnp.multiply, z, state)
    order = np.argsort(-score(outer.shared, fast, context), kind="stable")
    chosen = order[: round(RATIO * len(order))]
    part = jax.tree.map(lambda x, c=chosen: x[c], context)
    (whole, grads), (of_part, part_grads) = (
      jax.value_and_grad(loss)(state, some) for some in (context, part)
    )
    norms = [
      np.linalg.norm(flatten_util.ravel_pytree(g)[0])
      for g in (part_grads, grads)
    ]
    ratio = norms[0] / norms[1] if scaling.kind == "norm" else of_part / whole
    state = jax.tree.map(lambda s, g, r=ratio: s - RATE * r * g, state, grads)
  return flatten_util.ravel_pytree(jax.tree.map(jnp.multiply, z, state))[0]


@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
def test_tiles_are_fitted_in_the_scale_of_training(scaling):
  scaled = dataclasses.replace(PLAIN, scaling=scaling)
  outer = outer_of(PLAIN)
  tile = tiny_codec.picture(SIDE, SIDE).astype(np.float32) / 255
  plain, found = (
    tile_network.TileNetwork(s, outer).fit(tile[np.newaxis])[0]
    for s in (PLAIN, scaled)
  )
  network = tile_network.TileNetwork(PLAIN, outer)
  context = network._as_context(jnp.asarray(tile))
  expected = by_hand(PLAIN.method(), outer, context, scaling)
  # Fails if the points are others than training's, or ranked without gates.
  np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-6)
  # Fails if the specification is not what fits.
  assert np.abs(found - plain).max() > 0.05 * np.abs(plain).max()


def test_blocks_are_fitted_in_the_scale_of_training():
  plain = tiny_grids.volume_spec()
  plain = dataclasses.replace(plain, num_steps=2)
  scaling = SCALINGS[0]
  scaled = dataclasses.replace(plain, scaling=scaling)
  outer = outer_of(plain)
  coords = grid.grid(plain.sides, low=plain.low, high=plain.high)
  rng = np.random.default_rng(0)
  blocks = rng.uniform(0, 1, (2, len(coords), 1)).astype(np.float32)
  found, before = (
    grid_network.GridNetwork(s, outer).fit(blocks, coords)
    for s in (scaled, plain)
  )
  context = Context(jnp.asarray(coords), jnp.asarray(blocks[1]))
  expected = by_hand(plain.method(), outer, context, scaling)
  np.testing.assert_allclose(found[1], expected, rtol=2e-3, atol=1e-6)
  assert np.abs(found - before).max() > 0.05 * np.abs(before).max()
  # Of missing values nothing is chosen, and no loss is of them.
  mask = rng.uniform(size=blocks.shape[:2]) > 0.4
  network = grid_network.GridNetwork(scaled, outer)
  first, second = (
    network.fit(np.where(mask[..., None], blocks, filler), coords, present=mask)
    for filler in (np.float32(0), np.float32(1))
  )
  np.testing.assert_allclose(first, second, atol=1e-5)


@pytest.mark.parametrize("name", ["cifar10", "speech"])
def test_specifications_of_before_stay_as_they_are(name):
  config = loading.load(name).spec.to_json()
  path = loading._SHIPPED / f"{name}.inrmodel"
  # Fails if a model without scaling gets another content, and so another id.
  assert json.dumps(config, sort_keys=True) == json.dumps(
    model_file.load_model(path).config["spec"], sort_keys=True
  )
  assert "scaling" not in config


@pytest.mark.parametrize(
  ("plain", "read"),
  [
    (PLAIN, spec.from_json),
    (tiny_grids.audio_spec(), grid_spec.from_json),
  ],
  ids=["tiles", "blocks"],
)
def test_json_holds_the_scaling(plain, read):
  assert read(json.loads(json.dumps(plain.to_json()))) == plain
  for scaling in SCALINGS:
    scaled = dataclasses.replace(plain, scaling=scaling)
    text = json.dumps(scaled.to_json())
    assert read(json.loads(text)) == scaled
  for damaged in (
    3,
    [],
    {},
    {"kind": "norm"},
    {"kind": "size", "ratio": 0.5},
    {"kind": ["norm"], "ratio": 0.5},
    {"kind": "norm", "ratio": 0.0},
    {"kind": "norm", "ratio": "0.5"},
    {"kind": "norm", "ratio": True},
    {"kind": "loss", "ratio": 0.5, "select": "random"},
    {"kind": "loss", "ratio": 0.5, "colour": 1},
  ):
    # Fails if it is found out with the first signal, or never.
    with pytest.raises(errors.CorruptBitstreamError):
      read(plain.to_json() | {"scaling": damaged})


def test_a_model_file_brings_the_scaling_back(tmp_path):
  scaled = dataclasses.replace(PLAIN, scaling=SCALINGS[0])
  pictures = [tiny_codec.picture(16, 16, seed=s) for s in range(3)]
  made = codec.fit_codec(scaled, outer_of(scaled), pictures, context_steps=2)
  made.save(tmp_path / "a.inrmodel")
  loaded = codec.load(tmp_path / "a.inrmodel")
  assert loaded.spec == scaled
  data = loaded.compress(pictures[0], effort="fast")
  assert data == made.compress(pictures[0], effort="fast")
  assert loaded.decompress(data).shape == pictures[0].shape
