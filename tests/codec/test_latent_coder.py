"""Latents to bytes: round trips, sizes, damage, other processes."""

import hashlib
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.codec import errors, latent_coder, latent_synthesis
from inrjax.quantize import rate_models

_ROOT = pathlib.Path(__file__).parents[2]
CHANNELS, HYPER = 12, 6


def make_params():
  """A receiver's entropy model, of numbers that every machine draws alike."""
  rng = np.random.default_rng(0)

  def draw(*shape, low=-300, high=300):
    return (rng.integers(low, high, shape) / 2048).astype(np.float32)

  synthesis = {
    "conv_0": {"w": draw(5, 5, HYPER, HYPER), "b": draw(HYPER)},
    "conv_1": {"w": draw(5, 5, HYPER, HYPER), "b": draw(HYPER)},
    "conv_2": {"w": draw(3, 3, HYPER, 2 * CHANNELS), "b": draw(2 * CHANNELS)},
  }
  prior = {}
  for k, (i, o) in enumerate(((1, 3), (3, 3), (3, 3), (3, 1))):
    prior[f"layer_{k}"] = {
      "matrix": draw(HYPER, o, i, low=-1800, high=300),
      "bias": draw(HYPER, o),
      "factor": draw(HYPER, o),
    }
  del prior["layer_3"]["factor"]
  return synthesis, prior


def make_latents(coder, height=4, width=6, spread=1.0):
  """Latents that follow the model's own distribution, roughly."""
  rng = np.random.default_rng(1)
  hyper = rng.integers(-3, 4, (height, width, HYPER))
  moments = latent_synthesis.ExactHyperSynthesis(make_params()[0])(hyper)
  noise = rng.integers(-4096, 4097, (12, *moments.means.shape)).sum(0) / 8192
  scales = np.exp2(-3.5 + moments.scales / 16)
  latents = latent_synthesis.to_float(moments.means) + spread * scales * noise
  return latents, hyper.astype(float)


@pytest.fixture(scope="module")
def coder():
  return latent_coder.LatentCoder(*make_params())


def test_round_trip(coder):
  latents, hyper = make_latents(coder, spread=4.0)
  quantized = coder.quantize(latents, hyper)
  again = coder.decode(coder.encode(quantized), 4, 6)
  np.testing.assert_array_equal(again.hyper, quantized.hyper)
  np.testing.assert_array_equal(again.residuals, quantized.residuals)
  # Fails if residuals are rounded around zero and not around their means.
  reconstructed = coder.reconstruct(again)
  assert np.abs(reconstructed - latents).max() <= 0.5 + 1e-3
  assert reconstructed.dtype == np.float32


def test_cheap_latents_cost_what_they_should():
  # Small scales, hence nearly all zeros: 0.1 bits for each latent.
  synthesis, prior = make_params()
  synthesis["conv_2"]["b"][CHANNELS:] = -2.3
  synthesis["conv_2"]["w"] = synthesis["conv_2"]["w"] / 32
  coder = latent_coder.LatentCoder(synthesis, prior)
  rng = np.random.default_rng(5)
  hyper = rng.integers(-1, 2, (32, 32, HYPER))
  moments = latent_synthesis.ExactHyperSynthesis(synthesis)(hyper)
  scales = np.exp2(-3.5 + moments.scales / 16)
  residuals = np.rint(scales * rng.normal(size=scales.shape)).astype(np.int32)
  latents = latent_coder.Latents(hyper.astype(np.int32), residuals)
  size = 8 * len(coder.encode(latents))
  rate = jax.jit(rate_models.gaussian_bits)(
    jnp.asarray(residuals, jnp.float32), jnp.asarray(scales, jnp.float32)
  )
  total = float(rate.sum()) + coder.cost(latents).hyper
  assert 0.05 < float(rate.mean()) < 0.2
  # Fails if the coder's roundings, or columns that nothing falls in, count.
  assert abs(size - total) <= 0.001 * total + 64


def test_size_is_the_computed_rate(coder):
  latents, hyper = make_latents(coder, 16, 24)
  quantized = coder.quantize(latents, hyper)
  size = 8 * len(coder.encode(quantized))
  bits = coder.cost(quantized)
  # Fails if a table is not the one that is counted.
  assert abs(size - bits.hyper - bits.residuals) <= 0.001 * size + 64
  # The rate models of training, at scales that are not on the grid's points.
  synthesis, prior = make_params()
  moments = latent_synthesis.ExactHyperSynthesis(synthesis)(quantized.hyper)
  scales = jnp.asarray(np.exp2(-3.5 + moments.scales / 16), jnp.float32)
  residuals = jnp.asarray(quantized.residuals, jnp.float32)
  found = jax.jit(rate_models.gaussian_bits)(residuals, scales).sum()
  assert float(found) == pytest.approx(bits.residuals, rel=1e-3, abs=32)
  found = jax.jit(rate_models.factorized_bits)(
    prior, jnp.asarray(quantized.hyper, jnp.float32)
  ).sum()
  assert float(found) == pytest.approx(bits.hyper, rel=1e-3, abs=32)


def test_damage_is_noticed_or_changes_what_is_read(coder):
  quantized = coder.quantize(*make_latents(coder, 2, 2))
  data = coder.encode(quantized)
  rng = np.random.default_rng(2)
  refused = 0
  for trial in range(60):
    damaged = bytearray(data)
    damaged[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    if trial % 3 == 0:
      damaged = damaged[: rng.integers(len(data))]
    try:
      again = coder.decode(bytes(damaged), 2, 2)
    except errors.CorruptBitstreamError:
      refused += 1
      continue
    # Fails if damage passes for the same latents.
    assert not (
      np.array_equal(again.hyper, quantized.hyper)
      and np.array_equal(again.residuals, quantized.residuals)
    )
  assert refused > 20
  with pytest.raises(errors.CorruptBitstreamError):
    coder.decode(data + b"x", 2, 2)


def test_extremes_are_clipped_and_survive(coder):
  latents, hyper = make_latents(coder, 1, 1)
  hyper[0, 0, 0] = 1e20
  latents[0, 0, 0] = -1e30
  quantized = coder.quantize(latents, hyper)
  again = coder.decode(coder.encode(quantized), 1, 1)
  np.testing.assert_array_equal(again.residuals, quantized.residuals)
  assert quantized.hyper[0, 0, 0] == latent_synthesis.MAX_HYPER_LATENT


def test_what_cannot_be_coded_is_refused(coder):
  latents, hyper = make_latents(coder, 1, 1)
  with pytest.raises(errors.CodecError, match="not finite"):
    coder.quantize(latents * np.nan, hyper)
  with pytest.raises(errors.CodecError, match="not finite"):
    coder.quantize(latents, hyper + np.inf)
  with pytest.raises(errors.CodecError, match="call for"):
    coder.quantize(latents[:2], hyper)
  with pytest.raises(errors.CodecError, match="hyper-latents are"):
    coder.quantize(latents, hyper[..., :2])
  synthesis, prior = make_params()
  prior = jax.tree.map(lambda leaf: leaf[:2], prior)
  with pytest.raises(errors.CodecError, match="2 densities for 6"):
    latent_coder.LatentCoder(synthesis, prior)


def digest():
  """Of a stream, and of what is read from it."""
  coder = latent_coder.LatentCoder(*make_params())
  data = coder.encode(coder.quantize(*make_latents(coder)))
  again = coder.reconstruct(coder.decode(data, 4, 6))
  return hashlib.sha256(data + again.astype("<f4").tobytes()).hexdigest()[:16]


def test_another_process_with_other_threads():
  # Fails if a result depends on the order of sums, on a compiler, or on JAX.
  environment = os.environ | {
    "OPENBLAS_NUM_THREADS": "3",
    "OMP_NUM_THREADS": "3",
    "JAX_DISABLE_JIT": "1",
    # Matrix products of processors without fused or wide operations.
    "OPENBLAS_CORETYPE": "Nehalem",
    "PYTHONPATH": str(_ROOT),
  }
  program = (
    "import runpy; print(runpy.run_path("
    f"{str(pathlib.Path(__file__))!r})['digest']())"
  )
  done = subprocess.run(
    [sys.executable, "-c", program],
    env=environment,
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stdout.strip() == digest() == GOLDEN


# Streams depend on it: a change needs a new format version.
GOLDEN = "72d4b442ae713913"
