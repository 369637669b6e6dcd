"""Models that ECoP trained compress clips."""

import pathlib
from typing import Any

import jax
import numpy as np
import pytest

from experiments import build, signals, ucf101
from inrjax import cli, codec, data
from inrjax.codec import files_video, grid_fit
from tests.experiments import test_configs as images
from tests.experiments import test_signals

ECOP = test_signals.MODULATED_ECOP


def shrunk(variant: str) -> dict[str, Any]:
  config = images.read(ECOP).get_config(variant)
  test_signals.shrunk(config)
  with config.unlocked():
    config.network.width = 8
    config.evaluate.encoder.num_steps = 2
    config.evaluate.bits = None
    if "objective" in config:
      config.objective.num_steps = 1
  return config.to_dict()


def test_a_clip_goes_through_a_model_of_ecop(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  # One device compiles sooner; four are tested with the training loop.
  monkeypatch.setattr(jax, "device_count", lambda: 1)
  for index, name in enumerate(("a", "b", "c")):
    test_signals.write_clip(tmp_path / "clips" / name, 40 * (index + 1))
  fit = grid_fit.fit_grid_codec
  # A card reads all settings.
  monkeypatch.setattr(
    grid_fit,
    "fit_grid_codec",
    lambda *args, card, **settings: fit(*args, **settings),
  )
  values = shrunk("ecop_functa")
  seen: set[str] = set()
  recorded = images.Recorder(values, "", seen)

  def load(split: str) -> signals.SignalSource:
    source = recorded["data"]["source"]
    return ucf101.load(split, tmp_path / "clips", **source)

  run = signals.Run(recorded, tmp_path, load)
  run.meta_learn()
  run.measure()
  run.write_model()
  # Fails if a setting is added that the launcher forgets.
  assert set(images.leaves(values)) <= seen
  model = tmp_path / "model.inrmodel"
  # Fails if the file does not say how training's gradients were scaled.
  assert codec.load(model).spec.scaling == codec.GradientScaling("norm", 0.25)
  clip = load("test")[0]
  (tmp_path / "a.mp4").write_bytes(files_video.write(clip, ".mp4"))
  monkeypatch.chdir(tmp_path)
  options = ("--model", str(model))
  compress = ("compress", *options, "--effort", "fast", "a.mp4", "a.inr")
  assert cli.main([*compress]) == 0
  assert cli.main(["decompress", *options, "a.inr", "b.mp4"]) == 0
  decoded = files_video.read("b.mp4", tools=data).values
  assert decoded.shape == clip.values.shape and decoded.dtype == np.uint8


def test_ecop_has_the_memory_of_functa() -> None:
  ecop, functa = (
    images.read(ECOP).get_config(v) for v in ("ecop_functa", "functa")
  )
  assert ecop.select.ratio * ecop.inner.num_steps == functa.inner.num_steps
  for config in (ecop, functa):
    # Fails if methods are compared after different numbers of steps.
    assert config.evaluate.num_steps == (3, 12)
    assert config.evaluate.encoder.num_steps == 12
    assert config.num_modulations == 16
  assert "select" not in functa and "gradient" not in functa.evaluate
  values = shrunk("ecop_functa")
  values["evaluate"]["gradient"] = "pruned"
  with pytest.raises(build.ConfigError, match="evaluate.gradient"):
    signals.make_spec(values, **values["evaluate"]["encoder"])
