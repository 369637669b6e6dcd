"""The benchmark of the hyperprior codec, on a network of a few channels."""

import json

import jax
import numpy as np
import pytest

from benchmarks import hyperprior_codec, hyperprior_macs, turns
from inrjax import codec as codec_lib
from inrjax.networks import hyperprior
from inrjax.sparsity import cost
from tests.meta import adaptive_problem


@pytest.fixture(scope="module")
def model(tmp_path_factory):
  """A model file."""
  path = tmp_path_factory.mktemp("model") / "m.inrmodel"
  codec_lib.HyperpriorCodec(
    adaptive_problem.MODEL.network.config,
    jax.device_get(adaptive_problem.make_params()),
  ).save(path)
  return str(path)


def test_operations_are_those_of_the_program(monkeypatch):
  # As the program evaluates transposed convolutions, eleven of 36 taps zero.
  monkeypatch.setattr(hyperprior_macs, "_UPSAMPLED", 36 / 4)
  config = hyperprior.HyperpriorConfig(6, 5, 4)
  network = hyperprior.make_hyperprior(config)
  shapes = jax.eval_shape(network.init, jax.random.key(0))
  # So large that what borders lack hardly counts.
  side = 64 * 64
  found = hyperprior_macs.macs(config, side - 63, side)
  inputs = {
    "analysis": (1, 3),
    "hyper_analysis": (16, 5),
    "hyper_synthesis": (64, 4),
    "synthesis": (16, 5),
  }
  for name, (stride, channels) in inputs.items():
    image = (1, side // stride, side // stride, channels)
    products = cost.product_costs(
      getattr(network, name).apply,
      shapes[name],
      jax.ShapeDtypeStruct(image, np.float32),
    )
    executed = sum(op.flops for op in products) / 2
    # Fails if a layer is forgotten, or counted at another resolution.
    assert 0.98 < executed / getattr(found, name) <= 1, name


def test_the_command(model, monkeypatch, capsys):
  monkeypatch.setattr(turns.time, "sleep", lambda seconds: None)
  sizes = ["--image=40x70", "--crop=64x64", "--frame=64x64", "--rounds=1"]
  hyperprior_codec.main([f"--model={model}", *sizes, "--memory_of"])
  lines = capsys.readouterr().out.splitlines()
  coding, crop, frame = (json.loads(x) for x in lines if x[:1] == "{")
  assert coding["width"] == 3 and coding["bytes"] > 0
  for name in ("analysis", "hyper_synthesis", "synthesis", "entropy_decoding"):
    assert np.isfinite(coding["seconds"][name])
  # Fails if padding is not worked on, or not paid for by pixels.
  config = adaptive_problem.MODEL.network.config
  expected = hyperprior_macs.macs(config, 64, 128).encoding / (40 * 70)
  assert coding["macs_per_pixel_encoding"] == pytest.approx(expected)
  assert (crop["of"], frame["of"]) == ("crop", "frame")
  assert crop["steps_per_second"] == pytest.approx(1 / crop["seconds"])


def test_memory_of_a_step(model, capsys):
  hyperprior_codec.main([f"--model={model}", "--peak_of=64x64"])
  found = json.loads(capsys.readouterr().out)
  # Fails if the process is measured before it has run.
  assert found["peak_rss"] >= found["peak_rss_before"] > 0
  assert found["temporaries"] > 0
