"""TransINR in the comparison: its numbers, its run, its record."""

import importlib
import json
import pathlib
from typing import Any

import jax
import pytest

from experiments import build, evaluation, launch, test_time
from experiments.configs import clips, long_horizon, long_signals
from tests.experiments import test_configs as images

SIDE = 8
# A.2's sizes: the side of an image, of a patch, and the padding.
SIZES = {
  "text.ecop": (178, 9, 1),
  "imagenette.ecop": (178, 9, 1),
  "imagenet100.ecop": (256, 13, 2),
  "afhq.ecop": (512, 26, 4),
  "celeba_hq.ecop_512": (512, 26, 4),
  "celeba_hq.ecop_1024": (1024, 52, 8),
}


def config_of(name: str, variant: str = "transinr") -> Any:
  return importlib.import_module(f"experiments.configs.{name}").get_config(
    variant
  )


@pytest.mark.parametrize("name", SIZES)
def test_the_numbers_of_images(name: str) -> None:
  config = config_of(name)
  side, patch, padding = SIZES[name]
  found = build.make_hypernetwork(config.to_dict())
  assert found.sides == (side, side) and found.patch == (patch, patch)
  assert found.padding == (padding, padding)
  # Fails if sizes beyond the paper's have another number of tokens.
  assert found.num_patches == (20, 20)
  assert (found.num_layers, found.dim, found.feed_forward) == (6, 768, 3072)
  assert (found.num_heads, found.head_dim, found.num_groups) == (12, 64, 64)
  assert config.outer.learning_rate == 1e-4
  # Fails if it trains its steps, or is tested with other than ECoP's.
  assert config.inner.num_steps == 0
  fit = config_of(name, "ecop").evaluate.fit
  assert config.evaluate.fit.num_steps == fit.num_steps
  assert config.evaluate.fit.gradients == ("none", "full")
  # Fails if the network is not the comparison's, or cannot be predicted.
  assert config.network == config_of(name, "ecop").network
  assert build.make_method(config.to_dict()).hypernetwork is not None


def test_the_numbers_of_clips() -> None:
  for size, (height, width, frames) in clips.SIZES.items():
    values = config_of("ucf101.ecop", f"transinr-{size}").to_dict()
    found = build.make_hypernetwork(values)
    # Fails if the axes of the clip are in another order.
    assert found.sides == (frames, height, width)
    assert found.num_patches == (4, 8, 8)
    assert build.make_method(values).hypernetwork is not None
  small = config_of("ucf101.ecop_cpu").to_dict()
  assert build.make_hypernetwork(small).num_patches == (4, 4, 4)


def test_spheres_and_sounds_have_no_patches() -> None:
  assert "transinr" in long_horizon.METHODS
  assert "transinr" not in long_signals.METHODS
  with pytest.raises(ValueError, match="is not one of"):
    config_of("librispeech.ecop", "transinr-1")


def tiny() -> dict[str, Any]:
  config = config_of("afhq.ecop_cpu")
  with config.unlocked():
    values: dict[str, Any] = images.shrunk(config)
  values["inner"]["num_steps"] = 0
  values["evaluate"]["checkpoints"] = ()
  values["hypernetwork"].update(
    patch=(4, 4), num_layers=1, dim=8, feed_forward=8
  )
  return values


def test_it_trains_and_both_of_its_rows_are_recorded(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  # One device compiles sooner; validation is that of all methods.
  monkeypatch.setattr(jax, "device_count", lambda: 1)
  monkeypatch.setattr(evaluation, "Adapter", images.FakeAdapter)
  values = tiny()
  seen: set[str] = set()
  recorded = images.Recorder(values, "", seen)
  images.check_source(images.FOLDER / "afhq/ecop_cpu.py", recorded)
  run = launch.Run(recorded, tmp_path, lambda split: images.Images(3))
  run.meta_learn()
  run.measure()
  record = json.loads((tmp_path / evaluation.RESULTS).read_text())
  predicted, fitted = record["levels"][-2:]
  assert (predicted["procedure"], fitted["procedure"]) == ("fit", "full")
  assert (predicted["gradient"], predicted["num_steps"]) == ("none", 0)
  assert (fitted["gradient"], fitted["num_steps"]) == ("full", 4)
  # Fails if the fit at test time begins elsewhere.
  (psnr,) = predicted["psnr_by_step"]
  assert fitted["psnr_by_step"][0] == pytest.approx(psnr, rel=1e-5)
  assert len(fitted["psnr_by_step"]) == 5 and fitted["psnr"] > psnr
  # Fails if a setting is added that nothing reads.
  assert set(images.leaves(values)) <= seen


def test_no_steps_are_none_at_test_time() -> None:
  values = tiny()
  method = build.make_method(
    values | {"select": {"kind": "random", "ratio": 1}}
  )
  # Fails if "none" takes the steps of the fit, or asks for training's points.
  assert test_time.make_method(values, method, "none").num_steps == 0
  assert test_time.make_method(values, method, "full").num_steps == 4


def test_what_does_not_fit_is_wrong_in_the_config() -> None:
  for section, changes, message in [
    ("hypernetwork", {"patch": (3, 3)}, "do not fit a side of 8"),
    ("hypernetwork", {"num_groups": 3}, "num_groups must divide"),
    ("network", {"out_dim": 1, "in_dim": 3}, "3 coordinates"),
  ]:
    values = tiny()
    values[section].update(changes)
    with pytest.raises(build.ConfigError, match=message):
      build.make_method(values)


def test_there_is_no_codec_of_predicted_weights(tmp_path: pathlib.Path) -> None:
  config = config_of("imagenette.ecop_cpu").to_dict()
  run = launch.Run(config, tmp_path, lambda split: [])
  # Fails if a section that is missing ends in a traceback.
  with pytest.raises(build.ConfigError, match="no codec for this method"):
    run.write_model()
