"""Making a codec of a trained network."""

import jax
import numpy as np
import pytest

from inrjax import codec
from inrjax.codec import errors, tile_network, transform
from inrjax.coords import patches
from inrjax.meta import method, recipes
from inrjax.networks import siren
from tests.codec import tiny_codec


def test_the_transform_is_that_of_the_training_tiles(photo_codec, photographs):
  tiles = np.concatenate([patches.to_patches(p, 8) for p in photographs])
  fast = photo_codec._network.fit(tiles.astype(np.float32) / 255)
  mapping = photo_codec.coder.transform
  codes = transform.analyse(mapping, fast)
  np.testing.assert_allclose(codes.std(axis=0), mapping.deviation, rtol=0.02)
  # fails if the metric is of other parameters than those that are coded: a
  # move of 0.1 along any code changes the mean squared error by 0.01.
  network = photo_codec._network
  for index in (0, 5, len(mapping.deviation) - 1):
    moved = fast[:8] + 0.1 * mapping.synthesis[:, index]
    grid = np.tile((np.arange(8, dtype=np.float32) + 0.5) / 8, (8, 1))
    before, after = (network.values(f, grid, grid) for f in (fast[:8], moved))
    change = np.square(after - before).mean()
    np.testing.assert_allclose(change, 0.01, rtol=0.15)


def test_fitting_is_deterministic(trained, photographs):
  first, second = (
    codec.fit_codec(*trained, photographs[:2], context_steps=3, seed=4)
    for _ in range(2)
  )
  assert first.model_id == second.model_id


def test_fewer_codes_are_kept_if_asked_for(trained, photographs, picture):
  short = codec.fit_codec(
    *trained, photographs[:2], context_steps=3, max_codes=5
  )
  data = short.compress(picture, effort="fast")
  assert short.symbols(data)[0].shape == (6, 8, 5)
  assert short.decompress(data).shape == picture.shape


def test_the_bits_of_the_papers_scheme_are_those_asked_for(
  trained, photographs
):
  picture = photographs[0]
  errors_ = []
  for num_bits in (2, 6):
    # An integer: fails if a model changes its id when it is saved again.
    fixed = codec.fit_fixed_width_codec(
      *trained, photographs, num_bits=num_bits, num_deviations=3
    )
    data = fixed.compress(picture)
    symbols = fixed.symbols(data)[0]
    assert 0 <= symbols.min()
    assert 2**num_bits - 2 <= symbols.max() <= 2**num_bits - 1
    assert 8 * len(data) < symbols.size * num_bits
    decoded = fixed.decompress(data).astype(float)
    errors_.append(np.square(decoded - picture).mean())
  assert errors_[1] < errors_[0]


def test_many_images_are_spread_over_the_steps(trained, picture):
  images = [picture[:16, :16]] * 26
  made = codec.fit_codec(*trained, images, context_steps=3)
  assert made.decompress(made.compress(picture)).shape == picture.shape


def gated(kept):
  """A network with shift modulations, of which `kept` gates are open."""
  spec = codec.ModulatedSpec(
    network=siren.SirenConfig(depth=2, width=8, w0=10.0, modulate=("shift",)),
    rates=recipes.InnerRates(1.0, 1.0),
    num_steps=2,
    side=8,
    gates=method.Gates(),
  )
  outer = spec.method().init(jax.random.key(0))
  pattern = np.full(16, -4.6, np.float32)
  pattern[3 * np.arange(kept)] = 4.6
  log_alpha = jax.tree.map(lambda a: pattern.reshape(a.shape), outer.log_alpha)
  return spec, outer._replace(log_alpha=log_alpha)


def test_only_open_gates_are_stored(tmp_path):
  spec, outer = gated(5)
  network = tile_network.TileNetwork(spec, outer)
  # fails if closed gates are coded.
  assert network.num_stored == 5
  pictures = [tiny_codec.picture(24, 24, seed=s) for s in range(3)]
  made = codec.fit_codec(spec, outer, pictures, context_steps=5)
  made.save(tmp_path / "gated.inrmodel")
  loaded = codec.load(tmp_path / "gated.inrmodel")
  assert loaded.model_id == made.model_id
  data = made.compress(pictures[0])
  assert loaded.compress(pictures[0]) == data
  assert loaded.symbols(data)[0].shape[-1] <= 5
  # The reconstruction is the adapted network's: fails if gates are applied
  # twice, or values land in other places.
  tiles = patches.to_patches(pictures[0].astype(np.float32) / 255, 8)
  fast = network.fit(tiles)
  error, _ = network.error_and_gradient(fast, tiles)
  zero, _ = network.error_and_gradient(np.zeros_like(fast), tiles)
  adapted = jax.vmap(
    lambda tile: (
      spec.method()
      .adapt(jax.random.key(0), outer, {}, network._as_context(tile))
      .losses
    )
  )(tiles)
  np.testing.assert_allclose(error, adapted[:, -1], rtol=1e-4)
  np.testing.assert_allclose(zero, adapted[:, 0], rtol=1e-4)


def test_a_network_without_open_gates_is_refused():
  pictures = [tiny_codec.picture(24, 24, seed=s) for s in range(2)]
  with pytest.raises(ValueError, match="gates are open"):
    codec.fit_codec(*gated(0), pictures, context_steps=5)


def test_training_images_are_checked(trained, photographs):
  with pytest.raises(errors.UnsupportedSignalError):
    codec.fit_codec(*trained, [photographs[0][..., 0]])
