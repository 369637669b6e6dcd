"""Adaptation behind gates in the training loop, and its files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import codec as codec_lib
from inrjax.codec import latent_update
from inrjax.meta import gated_update
from inrjax.quantize import spike_and_slab as sas
from inrjax.train import adaptation, gated_adaptation
from tests.meta import adaptive_problem
from tests.meta.adaptive_problem import BETA, MODEL

PRIOR = sas.SpikeAndSlab()


@pytest.fixture(scope="module")
def frames():
  images = np.asarray(adaptive_problem.make_images())
  return np.rint(255 * images).astype(np.uint8)


@pytest.fixture(scope="module")
def codec():
  return codec_lib.HyperpriorCodec(
    MODEL.network.config, jax.device_get(adaptive_problem.make_params())
  )


@pytest.fixture(scope="module")
def gated(codec, frames):
  return gated_adaptation.of_gated_model(
    MODEL,
    codec.params,
    beta=BETA,
    num_pixels=frames[..., 0].size,
    prior=PRIOR,
    log_alpha=0.1,
  )


@pytest.fixture(scope="module")
def measure(gated, codec, frames):
  return adaptation.make_measure(gated, codec.params, frames, beta=BETA)


def test_it_starts_from_the_global_model(gated, measure, codec) -> None:
  at_start = measure(gated.start)
  # Fails if open gates are paid for before anything changes.
  assert at_start["model_rate"] == pytest.approx(
    at_start["zero_rate"], rel=1e-3
  )
  image = np.zeros((20, 20, 3), np.uint8)
  same = adaptation.adapted_codec(codec, gated.start)
  np.testing.assert_array_equal(
    codec.decompress(same.compress(image)),
    codec.decompress(codec.compress(image)),
  )


def test_the_file_is_what_was_measured(gated, measure, codec, frames) -> None:
  rng = np.random.default_rng(0)
  draw = lambda scale: (  # noqa: E731
    lambda leaf: rng.normal(0, scale, leaf.shape).astype(np.float32)
  )
  fast = gated.start | {
    "delta": jax.tree.map(draw(0.02), gated.start["delta"]),
    "log_alpha": jax.tree.map(draw(3.0), gated.start["log_alpha"]),
  }
  measured = measure(fast)
  data = adaptation.adapted_codec(codec, fast, PRIOR).compress_many(
    list(frames)
  )
  num_pixels = frames[..., 0].size
  bits = measured["model_rate"] * num_pixels
  # Fails if the codec sends changes before their gates.
  assert abs(8 * codec.rates(data)[0].side - bits) <= 0.002 * bits + 64
  update = latent_update.quantize(PRIOR, gated_update.settled(fast)["delta"])
  changed = sum(map(np.count_nonzero, jax.tree.leaves(update.symbols)))
  assert 0 < changed < 0.6 * sum(map(np.size, jax.tree.leaves(update.symbols)))
  decoded = np.stack([frame for _, frame in codec.decompress_many(data)])
  error = np.mean(np.square(decoded / 255 - frames / 255))
  assert 0.9 < error / measured["mse"] < 1.001


def test_the_loss_is_eq_2_with_the_gates_rate(gated, codec, frames) -> None:
  num_pixels = frames[..., 0].size
  plain = adaptation.of_model(
    MODEL,
    codec.params,
    beta=BETA,
    num_pixels=num_pixels,
    prior=PRIOR,
    rate_fn=None,
  )
  losses = [
    float(
      jax.jit(way.objective)(
        jax.random.key(3), way.start, codec.params, frames[:1]
      )[0]
    )
    for way in (plain, gated)
  ]
  bits = float(gated_update.expected_bits(PRIOR, gated.start))
  # Nothing changes yet, whatever the gates. Fails if M is that of frames seen
  # and not of all, of a spike, or counted twice.
  expected = losses[0] + BETA * bits / num_pixels
  assert losses[1] == pytest.approx(expected, rel=1e-5)


def test_gates_have_a_rate_of_their_own_and_keep_their_range() -> None:
  start = {"delta": jnp.zeros(2), "log_alpha": jnp.asarray([0.1, -4.6])}
  optimizer = gated_adaptation.make_optimizer(
    start, rate_factor=10.0, learning_rate=0.1
  )
  grads = {"delta": jnp.ones(2), "log_alpha": jnp.ones(2)}
  updates, _ = optimizer.update(grads, optimizer.init(start), start)
  np.testing.assert_allclose(updates["delta"], -0.1, rtol=1e-4)
  # Fails if gates move at the rate of changes, or leave the range.
  low = np.log(1e-2)
  np.testing.assert_allclose(updates["log_alpha"], [-1.0, low + 4.6], rtol=1e-3)
