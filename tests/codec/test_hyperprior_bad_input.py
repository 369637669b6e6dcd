"""The hyperprior codec: sizes at the edge, and streams that nobody wrote."""

import tracemalloc

import jax
import numpy as np
import pytest

from inrjax.codec import container, errors, hyperprior_codec, latent_update
from inrjax.meta import rate_distortion
from inrjax.networks import hyperprior

CONFIG = hyperprior.HyperpriorConfig(3, 4, 2)


def _codec(config):
  model = rate_distortion.RateModel(hyperprior.make_hyperprior(config))
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  rng = np.random.default_rng(0)
  params = jax.tree.map(
    lambda s: rng.normal(0, 0.3, s.shape).astype(np.float32), shapes
  )
  return hyperprior_codec.HyperpriorCodec(config, params)


@pytest.fixture(scope="module")
def codec():
  return _codec(CONFIG)


@pytest.fixture(scope="module")
def record(codec):
  """What the file of a small picture holds."""
  data = codec.compress_many([np.zeros((20, 20, 3), np.uint8)] * 2)
  return container.unpack(data, model_id=codec.model_id).signals[0]


def _packed(codec, record):
  return container.pack(container.Stream(codec.model_id, (record,)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 63), (63, 3), (5, 1)])
def test_odd_sizes_come_back(codec, shape):
  frames = np.random.default_rng(1).integers(0, 256, (2, *shape, 3), np.uint8)
  update = latent_update.zero_update(codec.receiver)
  data = codec.adapted(update).compress_many([*frames])
  # Fails if padding is decoded.
  decoded = [frame.shape for _, frame in codec.decompress_many(data)]
  assert decoded == [(*shape, 3)] * 2


def test_grey_is_for_a_model_of_grey(codec):
  grey = np.arange(35, dtype=np.uint8).reshape(5, 7)
  with pytest.raises(errors.UnsupportedSignalError):
    codec.compress(grey)
  one = _codec(hyperprior.HyperpriorConfig(3, 4, 2, image_channels=1))
  assert one.decompress(one.compress(grey)).shape == grey.shape
  with pytest.raises(errors.UnsupportedSignalError):
    one.compress(np.zeros((5, 7, 3), np.uint8))


def test_a_declared_terapixel_costs_nothing(codec, record):
  spec = container.SignalSpec("image", (10**6, 10**6, 3))
  data = _packed(codec, record._replace(spec=spec))
  tracemalloc.start()
  try:
    with pytest.raises(errors.CorruptBitstreamError, match="values"):
      codec.decompress(data)
    # Fails if anything of the declared size is allocated.
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
  finally:
    tracemalloc.stop()


@pytest.mark.parametrize(
  "side",
  [
    b"\0",
    b"\0" + bytes(1 << 20),
    b"\0" + b"\xff" * 4000,
    b"\3" + b"\xff" * 100,
    b"\2" + np.array([1e-9, 1e9, 1.0], ">f8").tobytes(),
  ],
  ids=["empty", "a megabyte", "ones", "no prior", "absurd prior"],
)
def test_updates_of_absurd_sizes_are_refused(codec, record, side):
  data = _packed(codec, record._replace(side=side))
  for read in (codec.decompress, codec.rates, codec.symbols):
    # Fails if what is left over is not noticed, or a table of 10^18 bins made.
    with pytest.raises(errors.CorruptBitstreamError):
      read(data)


def test_an_update_of_another_model_is_refused(codec, record):
  """Put under this model's id by somebody who knows the format."""
  other = _codec(hyperprior.HyperpriorConfig(6, 4, 2))
  symbols = jax.tree.map(
    lambda leaf: np.arange(leaf.size, dtype=np.int32).reshape(leaf.shape) % 5,
    other.receiver,
  )
  prior = latent_update.zero_update(other.receiver).prior
  side = latent_update.encode(latent_update.ModelUpdate(prior, symbols))
  with pytest.raises(errors.CorruptBitstreamError):
    codec.decompress(_packed(codec, record._replace(side=side)))
  # As it was written it names another model.
  data = other.adapted(latent_update.zero_update(other.receiver)).compress(
    np.zeros((9, 9, 3), np.uint8)
  )
  with pytest.raises(errors.WrongModelError):
    codec.decompress(data)


def test_padding_is_not_without_bound(codec, record, monkeypatch):
  spec = container.SignalSpec("image", (1, 1 << 26, 3))
  data = _packed(codec, record._replace(spec=spec))
  tracemalloc.start()
  try:
    for read in (codec.decompress, codec.rates, codec.symbols):
      # Fails if a line of pixels is taken for 64 before anything is refused.
      with pytest.raises(errors.CorruptBitstreamError, match="padded"):
        read(data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
  finally:
    tracemalloc.stop()
  monkeypatch.setattr(hyperprior_codec, "MAX_PADDED_VALUES", 3 * 64 * 64)
  codec.compress(np.zeros((64, 64, 3), np.uint8))
  with pytest.raises(errors.UnsupportedSignalError, match="padded"):
    codec.compress(np.zeros((1, 65, 3), np.uint8))
