"""The hyperprior codec: files with and without an update of the model."""

import jax
import numpy as np
import pytest

from inrjax.codec import (
  container,
  errors,
  hyperprior_codec,
  latent_update,
  loading,
  model_file,
)
from inrjax.data import photographs
from inrjax.meta import rate_distortion
from inrjax.networks import hyperprior
from inrjax.quantize import spike_and_slab as sas

CONFIG = hyperprior.HyperpriorConfig(3, 4, 2)


def _params(seed=0):
  model = rate_distortion.RateModel(hyperprior.make_hyperprior(CONFIG))
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda s: rng.normal(0, 0.3, s.shape).astype(np.float32), shapes
  )


@pytest.fixture(scope="module")
def codec():
  return hyperprior_codec.HyperpriorCodec(CONFIG, _params(), card={"a": 1})


@pytest.fixture(scope="module")
def image():
  rng = np.random.default_rng(1)
  return rng.integers(0, 256, (40, 70, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def update(codec):
  rng = np.random.default_rng(2)
  delta = jax.tree.map(
    lambda p: rng.normal(0, 0.05, p.shape) * (rng.random(p.shape) < 0.1),
    codec.receiver,
  )
  return latent_update.quantize(sas.SpikeAndSlab(), delta)


def test_round_trip(codec, image):
  data = codec.compress(image)
  again = codec.decompress(data)
  assert again.shape == image.shape and again.dtype == np.uint8
  # The decoder's own latents give the same image as the encoder's.
  fitted = codec._fit(image.astype(np.float32) / 255, "medium")
  np.testing.assert_array_equal(codec.symbols(data)[0], fitted.residuals)
  # Fails if padding is decoded, or a region is taken from elsewhere.
  part = codec.decompress(data, region=(3, 5, 30, 66))
  np.testing.assert_array_equal(part, again[3:30, 5:66])
  for other in (image.astype(np.uint16) * 257, image / 255.0):
    assert codec.decompress(codec.compress(other)).dtype == other.dtype


def test_rate_is_that_of_the_file(codec, image):
  data = codec.compress_many([image, image[:30]], names=["a.png", "b.png"])
  parts = codec.rates(data)
  assert sum(p.total for p in parts) == pytest.approx(len(data))
  for part in parts:
    size = 8 * part.payload
    assert abs(size - part.estimated_bits) <= 0.001 * size + 64
  first, second = codec.decompress_many(data)
  assert first[0] == "a.png" and second[1].shape == (30, 70, 3)
  with pytest.raises(errors.CodecError, match="this model takes"):
    codec.compress(image, bpp=1e-3)
  bpp = 8 * len(codec.compress(image)) / (40 * 70)
  assert codec.compress(image, bpp=bpp + 1e-6) == codec.compress(image)


def test_update_of_nothing_is_the_global_model(codec, image):
  zero = latent_update.zero_update(codec.receiver)
  adapted = codec.adapted(zero)
  data = adapted.compress(image)
  plain = codec.compress(image)
  # Fails if the file bears another model, or a parameter moves by one bit.
  np.testing.assert_array_equal(codec.decompress(data), codec.decompress(plain))
  records = container.unpack(data, model_id=codec.model_id).signals
  assert records[0].side == latent_update.encode(zero)
  rates = codec.rates(data)[0]
  assert rates.payload == codec.rates(plain)[0].payload
  assert rates.side == len(latent_update.encode(zero))


def test_adapted_files_are_read_by_the_global_model(codec, image, update):
  adapted = codec.adapted(update, {"analysis": _params(3)["analysis"]})
  data = adapted.compress_many([image, image[::-1]])
  # The receiver that an update makes, put together by hand.
  moved = hyperprior_codec.HyperpriorCodec(
    CONFIG, {**_params(), **latent_update.apply(codec.receiver, update)}
  )
  fitted = adapted._fit(image[::-1].astype(np.float32) / 255, "medium")
  expected = moved.decompress(
    moved._pack([moved._record(fitted, _spec(image), None, 0)])
  )
  fresh = hyperprior_codec.HyperpriorCodec(CONFIG, _params(), card={"a": 1})
  # Fails if the second image is decoded without the first one's update.
  decoded = fresh.decompress_many(data)
  np.testing.assert_array_equal(decoded[1][1], expected)
  assert len(fresh.symbols(data)) == 2
  sides = [part.side for part in fresh.rates(data)]
  assert sides == [len(latent_update.encode(update)), 0]
  # The global model goes on as before.
  assert fresh.compress(image) == codec.compress(image)
  assert not np.array_equal(
    codec.decompress(codec.compress(image)), decoded[0][1]
  )


def _spec(image):
  return container.SignalSpec("image", image.shape)


def test_damage(codec, image, update):
  data = codec.adapted(update).compress(image[:20, :20])
  stream = container.unpack(data, model_id=codec.model_id)
  (record,) = stream.signals
  rng = np.random.default_rng(4)
  for trial in range(12):
    # Past the container's checksum, into update and latents.
    side, payload = bytearray(record.side), bytearray(record.payload)
    part = side if trial % 2 else payload
    part[rng.integers(len(part))] ^= 1 << int(rng.integers(8))
    broken = record._replace(side=bytes(side), payload=bytes(payload))
    packed = container.pack(container.Stream(codec.model_id, (broken,)))
    try:
      decoded = codec.decompress(packed)
    except errors.CorruptBitstreamError:
      continue
    assert decoded.shape == (20, 20, 3)
  other = hyperprior_codec.HyperpriorCodec(CONFIG, _params(5))
  with pytest.raises(errors.WrongModelError):
    other.decompress(data)
  with pytest.raises(errors.CodecError, match="own resolution"):
    codec.decompress(data, scale=2.0)


def test_update_that_ruins_the_model_is_refused(codec, image):
  symbols = jax.tree.map(lambda p: np.zeros(p.shape, np.int32), codec.receiver)
  prior = sas.SpikeAndSlab(bin_width=1e6, slab=1e7)
  symbols["hyper_synthesis"]["conv_1"]["w"][:] = 20
  ruined = latent_update.ModelUpdate(prior, symbols)
  with pytest.raises(errors.CorruptBitstreamError, match="cannot be used"):
    codec.adapted(ruined)


def test_model_file(codec, image, tmp_path):
  codec.save(tmp_path / "model.inrmodel")
  content = model_file.load_model(tmp_path / "model.inrmodel")
  loaded = hyperprior_codec.from_model_file(content)
  assert loaded.model_id == codec.model_id
  assert loaded.info() == codec.info()
  assert loaded.compress(image) == codec.compress(image)
  arrays = dict(content.arrays)
  arrays.pop(next(iter(arrays)))
  for broken in (
    content._replace(arrays=arrays),
    content._replace(config={"codec": "hyperprior"}),
    content._replace(config=content.config | {"spec": {"width": 3000}}),
    content._replace(config=content.config | {"spec": {"depth": 3}}),
  ):
    with pytest.raises(errors.CorruptBitstreamError):
      hyperprior_codec.from_model_file(broken)


def test_models_that_are_none(image):
  params = _params()
  params["prior"]["layer_0"]["bias"][0, 0] = np.nan
  with pytest.raises(errors.CodecError, match="not finite"):
    hyperprior_codec.HyperpriorCodec(CONFIG, params)
  codec = hyperprior_codec.HyperpriorCodec(CONFIG, _params())
  with pytest.raises(errors.UnsupportedSignalError):
    codec.compress(image[..., 0])


def test_file_takes_what_training_measures(codec, image, update):
  model = rate_distortion.RateModel(hyperprior.make_hyperprior(CONFIG))
  # Densities as wide as the latents: outliers cost a file less than their tails
  # say, since there are escapes.
  params = _params()
  params["hyper_synthesis"]["conv_2"]["w"] /= 4
  params["hyper_synthesis"]["conv_2"]["b"][4:] = 4
  for layer in params["prior"].values():
    layer["matrix"] -= np.float32(2)
  codec = hyperprior_codec.HyperpriorCodec(CONFIG, params)
  moved = {**params, **latent_update.apply(codec.receiver, update)}
  frames = np.stack([image, image[::-1], image[:, ::-1]]) / np.float32(255)

  @jax.jit
  def measured(params, frames):
    return model.terms(None, params, model.analyse(params, frames), frames)

  terms = measured(moved, frames)
  data = codec.adapted(update).compress_many(list(frames))
  payload = 8 * sum(part.payload for part in codec.rates(data))
  expected = float(terms.rate) * 3 * 40 * 70
  # Fails if the codec codes under another model than training optimises: one
  # scale, mean or density off is far more than roundings of the networks are.
  assert payload == pytest.approx(expected, rel=0.005, abs=3 * 16)
  decoded = np.stack([array for _, array in codec.decompress_many(data)])
  error = np.mean((np.clip(decoded, 0, 1) - frames) ** 2)
  clipped = float(terms.distortion)
  assert error <= clipped * 1.01


def test_a_photographs_bytes_are_the_computed_rate():
  """Of the model that comes with the package, in eq. 1's own terms."""
  codec = loading.load("hyperprior")
  model = rate_distortion.RateModel(hyperprior.make_hyperprior(codec.config))
  photograph = photographs("test")[0][:256, :256]
  unit = (photograph / np.float32(255))[None]
  terms = jax.jit(
    lambda params, x: model.terms(None, params, model.analyse(params, x), x)
  )(codec.params, unit)
  (part,) = codec.rates(codec.compress(photograph))
  size = 8 * part.payload
  # Fails if scales on a grid, or tables, cost what training does not see.
  assert abs(size - float(terms.rate) * 256 * 256) <= 0.001 * size + 64
