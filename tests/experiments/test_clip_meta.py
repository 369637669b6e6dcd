"""Meta-learning a global model from the launcher, and its configs."""

import inspect
import json
import pathlib
from typing import Any

import jax
import numpy as np
import pytest

import inrjax
from experiments import build, clip_meta, evaluation, instance_sweep
from inrjax import codec, data, train
from inrjax.data import images
from tests.experiments import test_configs
from tests.meta import adaptive_problem

FOLDER = test_configs.FOLDER / "clip_meta"
FILES = sorted(p for p in FOLDER.glob("*.py") if p.stem != "__init__")


@pytest.fixture(scope="module")
def global_model() -> codec.HyperpriorCodec:
  return codec.HyperpriorCodec(
    adaptive_problem.MODEL.network.config,
    jax.device_get(adaptive_problem.make_params()),
  )


def load(split: str) -> list[np.ndarray]:
  """Clips of three frames."""
  rng = np.random.default_rng(len(split))
  count = 3 if split == "train" else 1
  return [
    rng.integers(0, 256, (3, 9, 12, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    for _ in range(count)
  ]


def shrunk(variant: str) -> dict[str, Any]:
  """The config at a size that compiles and runs in seconds."""
  config = test_configs.read(FOLDER / "maml_cpu.py").get_config(variant)
  config.signal.update(num_frames=2, side=64)  # Of those held out, too.
  config.inner.update(num_steps=2, num_pixels=3 * 72 * 96)
  config.data.source.num_frames = 3
  config.data.pipeline.update(batch_size=1, read_threads=0)
  config.train.update(
    num_steps=2, log_every=1, checkpoint_every=2, evaluate_every=2
  )
  return config.to_dict()


@pytest.fixture(scope="module")
def run(
  tmp_path_factory: pytest.TempPathFactory,
  global_model: codec.HyperpriorCodec,
) -> clip_meta.Run:
  """A run of two steps, evaluated and exported."""
  seen: set[str] = set()
  values = shrunk("fomaml_3e-3")
  config = test_configs.Recorder(values, "", seen)
  folder = tmp_path_factory.mktemp("run")
  run = clip_meta.Run(config, folder, load, make_codec=lambda: global_model)
  with pytest.MonkeyPatch.context() as patch:
    # `pmap` over four fake devices is tested with the training step.
    patch.setattr(jax, "device_count", lambda: 1)
    run.meta_learn()
    learned = clip_meta.Run(
      values, folder, load, make_codec=lambda: global_model
    ).codec()
    patch.setattr(clip_meta.Run, "codec", lambda self: learned)
    run.measure()
  learned.save(folder / "model.inrmodel")
  inspect.signature(clip_meta.load).bind(
    "train", None, **config["data"]["source"]
  )
  # Fails if a setting is added that the launcher forgets.
  assert set(test_configs.leaves(values)) <= seen
  return run


def test_what_comes_after_adapting_is_logged(run: clip_meta.Run) -> None:
  lines = (run.workdir / "log.jsonl").read_text().splitlines()
  found = [json.loads(line) for line in lines]
  assert [line["step"] for line in found] == [1, 2]
  last = found[-1]
  for name in ("rdm_before", "validation_rdm", "validation_model_rate"):
    assert np.isfinite(last[name])
  beta = run.config["beta"]
  rate = last["validation_rate"] + last["validation_model_rate"]
  mse = 10 ** (-last["validation_psnr"] / 10)
  # Fails if the change's bits are left out, or are of a crop's pixels.
  assert last["validation_rdm"] == pytest.approx(beta * rate + mse, rel=1e-3)


def test_the_model_is_one_that_can_be_adapted(
  run: clip_meta.Run, global_model: codec.HyperpriorCodec
) -> None:
  path = run.workdir / "model.inrmodel"
  learned = inrjax.load(path)
  assert isinstance(learned, codec.HyperpriorCodec)
  card = learned.info()["card"]
  assert card["steps"] == 2
  assert card["started_from"] == global_model.model_id != learned.model_id
  # Fails if a sweep cannot tell what it is for.
  assert [*instance_sweep.find_models([path])] == [run.config["beta"]]
  moved = [
    np.any(a != b)
    for a, b in zip(
      jax.tree.leaves(learned.params),
      jax.tree.leaves(global_model.params),
      strict=True,
    )
  ]
  # Fails if a part is not learned.
  assert np.mean(moved) > 0.9
  result = json.loads((run.workdir / evaluation.RESULTS).read_text())
  assert result.keys() == {"global", "learned"}
  assert result["global"]["rdm"] != result["learned"]["rdm"]


def test_a_clip_has_to_hold_the_frames_that_are_adapted_to(
  tmp_path: pathlib.Path,
) -> None:
  config = test_configs.read(FOLDER / "maml_cpu.py").get_config()
  with config.unlocked():
    config.signal.num_frames = 9
  # Fails if frames are made up, mirrored in time.
  with pytest.raises(build.ConfigError, match=r"data\.source\.num_frames 8"):
    clip_meta.Run(config.to_dict(), tmp_path, load)._clips("train")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_variant_builds_and_is_locked(path: pathlib.Path) -> None:
  module = test_configs.read(path)
  for variant in module.VARIANTS:
    config = module.get_config(variant)
    assert config.is_locked
    values = config.to_dict()
    json.dumps(values)
    assert values["beta"] == float(variant.rpartition("_")[2])
    outer = dict(values["outer"])
    del outer["task_tile"]
    outer["learning_rate"] = build.rate_by_step(
      outer.pop("schedule"), outer["learning_rate"], 10
    )
    train.make_optimizer(**outer)
    build.on_nonfinite(values["train"]["on_nonfinite"])
  with pytest.raises(ValueError, match="is not one of"):
    module.get_config("no such variant")
  for words in ("--config=experiments/configs/", "Hardware and time:"):
    assert words in module.__doc__


def test_clips_are_held_out(tmp_path: pathlib.Path) -> None:
  for name in ("a", "b", "c"):
    (tmp_path / name).mkdir()
    frame = np.full((8, 8, 3), ord(name), np.uint8)
    content = images.encode_array(frame, ".png")
    for index in range(3):
      (tmp_path / name / f"{index}.png").write_bytes(content)
  settings = {"num_frames": 3, "size": (4, 4), "start": 0, "stride": 1}
  settings["held_out_frames"] = 2

  def levels(split: str, held_out: int) -> list[int]:
    found = clip_meta.load(split, tmp_path, held_out=held_out, **settings)
    frames = 3 if split == "train" else 2
    assert {found[i].shape for i in range(len(found))} == {(frames, 4, 4, 3)}
    return [int(found[i][0, 0, 0, 0]) for i in range(len(found))]

  # Fails if what is measured was trained on.
  assert levels("train", 1) == [ord("a"), ord("b")]
  assert levels("validation", 1) == levels("test", 1) == [ord("c")]
  for held_out in (0, 3):
    with pytest.raises(data.VideoError, match="held_out"):
      levels("train", held_out)
  with pytest.raises(data.VideoError, match="--data_dir"):
    clip_meta.load("train", None, held_out=1, **settings)
