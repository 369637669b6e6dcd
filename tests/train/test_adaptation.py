"""Adaptation to a clip in the training loop, and the files that come of it."""

import itertools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import codec as codec_lib
from inrjax import train
from inrjax.meta import instance_adaptive
from inrjax.quantize import spike_and_slab as sas
from inrjax.train import adaptation, parallel
from tests.meta import adaptive_problem
from tests.meta.adaptive_problem import BETA, MODEL

RATE = 3e-3


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
def whole(codec, frames):
  """Full-model adaptation, its measure and its compiled step."""
  found = adaptation.of_model(
    MODEL, codec.params, beta=BETA, num_pixels=frames[..., 0].size
  )
  return found, *_tools(codec, frames, found)


def _tools(codec, frames, found):
  measure = adaptation.make_measure(found, codec.params, frames, beta=BETA)
  optimizer = train.make_optimizer(RATE)
  step, placement = parallel.make_single_step(found.objective, optimizer)
  state = jax.jit(
    lambda key, start, carry: train.init_state(
      key, start, optimizer, carry=carry
    )
  )(jax.random.key(0), found.start, codec.params)
  return measure, step, placement, state


def _train(tools, batches, num_steps, state=None, **settings):
  _, step, placement, start = tools
  return train.train(
    start if state is None else state,
    step,
    batches,
    num_steps=num_steps,
    placement=placement,
    **settings,
  )


@pytest.fixture(scope="module")
def best(whole, frames):
  """The best of twenty steps."""
  found, *tools = whole
  best = adaptation.Best(tools[0], found.start, beta=BETA)
  _train(
    tools,
    itertools.cycle(frames[:, None]),
    20,
    evaluate_fn=best.offer,
    evaluate_every=5,
  )
  return best


def test_the_start_costs_what_the_global_model_does(
  whole, codec, frames, best
) -> None:
  found, measure, *_ = whole
  at_start = measure(found.start)
  expected = jax.jit(
    lambda fast, images: instance_adaptive.measure(
      MODEL, codec.params, fast, images, prior=sas.SpikeAndSlab()
    )
  )(found.start, jnp.asarray(frames / np.float32(255)))
  for name in ("rate", "mse"):
    # Fails if frames are weighed, or one is left out.
    assert at_start[name] == pytest.approx(float(expected[name]), rel=1e-4)
  assert at_start["model_rate"] == pytest.approx(
    at_start["zero_rate"], rel=1e-3
  )
  total = at_start["rate"] + at_start["model_rate"]
  assert at_start["rdm"] == pytest.approx(BETA * total + at_start["mse"])
  # Fails if what nothing costs is left in the global model's.
  without = BETA * at_start["rate"] + at_start["mse"]
  assert best.unadapted == pytest.approx(without)


def test_segments_are_one_training(whole, frames) -> None:
  _, *tools = whole
  batches = lambda: iter(frames[[0, 1, 0, 1], None])  # noqa: E731
  at_once = _train(tools, batches(), 4)
  whole_clip = batches()
  half = _train(tools, whole_clip, 2)
  parts = _train(tools, whole_clip, 4, state=half)
  # Fails if Adam's moments start again, or the noise repeats.
  jax.tree.map(np.testing.assert_array_equal, at_once.params, parts.params)
  # Fails if the global model is moved.
  jax.tree.map(
    np.testing.assert_array_equal, jax.device_get(parts.carry), tools[3].carry
  )


def test_the_best_is_kept(whole, best, tmp_path) -> None:
  found, measure, _, _, state = whole
  assert best.step and best.improves
  assert measure(best.fast) == best.measured
  # Fails if what is kept is the memory that the next step takes.
  assert all(type(x) is np.ndarray for x in jax.tree.leaves(best.fast))
  again = adaptation.Best(measure, found.start, beta=BETA, folder=tmp_path)
  again.offer(state._replace(params=best.fast, step=jnp.asarray(7)))
  again.offer(state._replace(params=found.start, step=jnp.asarray(8)))
  kept = adaptation.Best(measure, found.start, beta=BETA, folder=tmp_path)
  # Fails if the last is taken for the best, or nothing outlives the process.
  assert kept.step == 7 and kept.measured == best.measured


def test_the_file_is_what_was_measured(codec, frames, best) -> None:
  adapted = adaptation.adapted_codec(codec, best.fast)
  data = adapted.compress_many(list(frames))
  rates = codec.rates(data)
  num_pixels = frames[..., 0].size
  bits = best.measured["model_rate"] * num_pixels
  # Fails if the update is rounded otherwise than in training.
  assert abs(8 * rates[0].side - bits) <= 0.002 * bits + 64
  bits = best.measured["rate"] * num_pixels
  coded = 8 * sum(r.payload for r in rates)
  assert abs(coded - bits) <= 0.02 * bits + 128
  decoded = np.stack([frame for _, frame in codec.decompress_many(data)])
  error = np.mean(np.square(decoded / 255 - frames / 255))
  # What leaves [0, 1] is clipped in a file.
  assert 0.9 < error / best.measured["mse"] < 1.001


def test_the_file_is_never_larger(whole, codec, frames, best) -> None:
  found, measure, *_ = whole
  plain = codec.compress_many(list(frames))
  nothing = adaptation.Best(measure, found.start, beta=BETA)
  # Fails if an update of nothing is sent.
  with pytest.warns(adaptation.UnadaptedWarning, match="not lowered"):
    assert adaptation.compress(codec, nothing, list(frames)) == plain
  with warnings.catch_warnings():
    warnings.simplefilter("ignore", adaptation.UnadaptedWarning)
    taken = adaptation.compress(codec, best, list(frames))
  adapted = adaptation.adapted_codec(codec, best.fast)
  both = (plain, adapted.compress_many(list(frames)))
  assert len(taken) == min(map(len, both)) and taken in both


def test_the_encoder_alone_costs_nothing(codec) -> None:
  found = adaptation.of_encoder(MODEL, codec.params, beta=BETA)
  assert found.start.keys() == {"transmitter"}
  same = adaptation.adapted_codec(codec, found.start)
  image = np.zeros((20, 20, 3), np.uint8)
  # Fails if an update is sent, or the encoder is not that of the start.
  assert same.compress(image) == codec.compress(image)


def test_latents_are_optimised_and_sent(codec, frames) -> None:
  found = adaptation.of_latents(MODEL, codec.params, frames, beta=BETA)
  tools = _tools(codec, frames, found)
  measure = tools[0]
  unmoved = adaptation.adapted_codec(codec, found.start)
  plain = codec.compress_many(list(frames))
  # Fails if frames get each other's latents, or the start is no encoder's.
  assert unmoved.compress_many(list(frames)) == plain
  batches = adaptation.whole_frames(frames)
  state = _train(tools, batches, 15)
  before, after = measure(found.start), measure(state.params)
  assert after["rdm"] < before["rdm"] and not after["model_rate"]
  data = adaptation.adapted_codec(codec, state.params).compress_many(
    list(frames)
  )
  assert data != plain
  coded = 8 * sum(r.payload for r in codec.rates(data))
  bits = after["rate"] * frames[..., 0].size
  assert abs(coded - bits) <= 0.02 * bits + 128
  with pytest.raises(ValueError, match="2 frames"):
    unmoved.compress(frames[0])
  with pytest.raises(ValueError, match="every batch"):
    found.objective(jax.random.key(0), found.start, codec.params, frames[:1])
