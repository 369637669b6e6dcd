"""Adapting a hyperprior to a clip from the launcher, and its configs."""

import functools
import inspect
import json
import pathlib
from typing import Any

import jax
import numpy as np
import pytest

from experiments import adaptations, build, evaluation, instance, xiph
from inrjax import codec, data, train
from inrjax.data import images
from inrjax.train import adaptation
from tests.experiments import test_configs
from tests.meta import adaptive_problem

# So few steps seldom pay for the update of the model.
pytestmark = pytest.mark.filterwarnings(
  "ignore::inrjax.train.adaptation.UnadaptedWarning"
)
FOLDER = test_configs.FOLDER / "xiph"
FILES = sorted(p for p in FOLDER.glob("*.py") if p.stem != "__init__")


@pytest.fixture(scope="module")
def global_model() -> codec.HyperpriorCodec:
  return codec.HyperpriorCodec(
    adaptive_problem.MODEL.network.config,
    jax.device_get(adaptive_problem.make_params()),
  )


def load(split: str) -> np.ndarray:
  frames = np.asarray(adaptive_problem.make_images())
  return np.rint(255 * frames).astype(np.uint8)


def shrunk(variant: str) -> dict[str, Any]:
  """The config at a size that compiles and runs in seconds."""
  module = test_configs.read(FOLDER / "adapted_cpu.py")
  config = module.get_config(variant)
  if config.adapt.part != "latents":
    config.data.batches.update(batch_size=1, crop_side=64)
  config.train.update(
    num_steps=8, log_every=4, checkpoint_every=4, evaluate_every=4
  )
  config.outer.learning_rate = 3e-3
  return config.to_dict()


@pytest.fixture(scope="module")
def run(
  tmp_path_factory: pytest.TempPathFactory,
  global_model: codec.HyperpriorCodec,
) -> instance.Run:
  """A clip to which the whole model was adapted, evaluated and exported."""
  seen: set[str] = set()
  values = shrunk("model_3e-3")
  config = test_configs.Recorder(values, "", seen)
  run = instance.Run(
    config,
    tmp_path_factory.mktemp("run"),
    load,
    make_codec=lambda: global_model,
  )
  run.meta_learn()
  with pytest.MonkeyPatch.context() as patch:
    best = run._trained()
    patch.setattr(instance.Run, "_trained", lambda self: best)
    run.measure()
    run.write_model()
  inspect.signature(xiph.load).bind("clip", None, **config["data"]["source"])
  # Fails if a setting is added that the launcher forgets.
  assert set(test_configs.leaves(values)) <= seen
  return run


def test_bytes_are_told_apart(
  run: instance.Run, global_model: codec.HyperpriorCodec
) -> None:
  result = json.loads((run.workdir / evaluation.RESULTS).read_text())
  before, after = result["global"], result["adapted"]
  assert before["bytes"] == len(global_model.compress_many([*load("clip")]))
  assert before["update_bytes"] == 0 < after["zero_update_bytes"]
  assert after["update_bytes"] >= after["zero_update_bytes"]
  for one in (before, after):
    # Fails if a rate is of one frame, or in bytes.
    assert one["bpp"] == pytest.approx(8 * one["bytes"] / (2 * 37 * 48))
    assert 0 < one["bytes"] - one["latent_bytes"] - one["update_bytes"] < 100
    assert one["rdm"] == pytest.approx(one["computed_rdm"], rel=0.3)
  parts = result["parts"]
  assert "synthesis/conv_0" in parts and "prior/layer_0" in parts
  assert result["num_modulations"] == sum(p["changed"] for p in parts.values())
  bits = sum(part["bits"] for part in parts.values())
  # Fails if a layer is counted twice, or one is left out.
  computed = result["computed"]["model_rate"] * 2 * 37 * 48
  assert bits == pytest.approx(computed, rel=1e-2)
  assert result["quantised"][0]["nominal_bpp"] == after["bpp"]


def test_training_is_measured_as_it_goes(run: instance.Run) -> None:
  lines = (run.workdir / "log.jsonl").read_text().splitlines()
  found = [json.loads(line) for line in lines]
  assert [line["step"] for line in found] == [4, 8]
  for name in ("rdm", "latent_rate", "model_rate", "zero_rate", "psnr"):
    assert np.isfinite(found[-1][f"clip_{name}"])
  result = json.loads((run.workdir / evaluation.RESULTS).read_text())
  best = min(line["clip_rdm"] for line in found)
  # Fails if the last model is taken, and not the best.
  assert result["computed"]["rdm"] <= best * 1.0001


def test_the_file_is_read_by_the_global_model(
  run: instance.Run, global_model: codec.HyperpriorCodec
) -> None:
  content = (run.workdir / "clip.inr").read_bytes()
  decoded = global_model.decompress_many(content)
  assert [frame.shape for _, frame in decoded] == [(37, 48, 3)] * 2
  plain = global_model.compress_many([*load("clip")])
  assert len(content) <= len(plain)


def test_divergence_keeps_what_was_best(
  run: instance.Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  there = instance.Run(
    dict(run.config), tmp_path, load, make_codec=lambda: run.codec
  )
  for name in ("codec", "adaptation"):
    there.__dict__[name] = getattr(run, name)

  def diverges(*args: Any, **settings: Any) -> None:
    raise train.NonFiniteError(3, "loss", float("nan"))

  monkeypatch.setattr(train, "train", diverges)
  monkeypatch.setattr(instance.training, "_loggers", lambda *arguments: [])
  with pytest.warns(adaptation.DivergedWarning, match="step 0"):
    there.meta_learn()
  there.write_model()
  plain = run.codec.compress_many([*load("clip")])
  # Fails if nothing is written, or what diverged.
  assert (tmp_path / "clip.inr").read_bytes() == plain
  with pytest.raises(SystemExit, match="train first"):
    instance.Run(run.config, tmp_path / "none", load)._trained()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_variant_builds_and_is_locked(path: pathlib.Path) -> None:
  module = test_configs.read(path)
  for variant in module.VARIANTS:
    config = module.get_config(variant)
    assert config.is_locked
    values = config.to_dict()
    json.dumps(values)
    assert values["beta"] == float(variant.rpartition("_")[2])
    adaptations.make_optimizer(values, {"delta": 0.0, "log_alpha": 0.0})
    build.on_nonfinite(values["train"]["on_nonfinite"])
    assert values["train"]["num_steps"] % values["train"]["evaluate_every"] == 0
  with pytest.raises(ValueError, match="is not one of"):
    module.get_config("no such variant")
  for words in ("--config=experiments/configs/", "Hardware and time:"):
    assert words in module.__doc__


def test_rates_fall_where_steps_are_few() -> None:
  whole = {"learning_rate": 0.5, "num_steps": 4}
  assert build.rate_by_step("constant", **whole) == 0.5
  falling = build.rate_by_step("cosine", **whole)
  # Fails if the schedule is left out, or ends elsewhere.
  found = [float(falling(step)) for step in (0, 2, 4)]
  assert found == pytest.approx([0.5, 0.25, 0.0], abs=1e-6)
  read = test_configs.read
  kinds = {
    name: read(FOLDER / f"{name}.py").get_config("model_1e-3").outer.schedule
    for name in ("adapted", "adapted_cpu")
  }
  assert kinds == {"adapted": "constant", "adapted_cpu": "cosine"}
  with pytest.raises(ValueError, match="outer.schedule"):
    build.rate_by_step("linear", **whole)


def test_the_papers_numbers() -> None:
  get_config = test_configs.read(FOLDER / "adapted.py").get_config
  full = get_config("model_1e-4").to_dict()
  assert full["prior"] == {
    "bin_width": 0.005,
    "slab": 0.05,
    "spike_weight": 1000.0,
  }
  assert full["outer"]["learning_rate"] == 1e-4
  assert full["train"]["num_steps"] == 100_000
  assert get_config("encoder_1e-3").outer.learning_rate == 1e-6
  rates = {b: get_config(f"latents_{b}") for b in ("1e-3", "2.5e-4")}
  assert rates["1e-3"].outer.learning_rate == 5e-4
  assert rates["2.5e-4"].outer.learning_rate == 1e-3


def test_every_case_is_another_adaptation(run: instance.Run) -> None:
  starts = {}
  for variant in ("unaware_1e-3", "encoder_1e-3", "latents_1e-3"):
    other = instance.Run(shrunk(variant), run.workdir, load)
    other.__dict__["codec"] = run.codec
    starts[variant] = other.adaptation.start
  # Fails if a part is built that was not asked for.
  assert "delta" in starts["unaware_1e-3"]
  assert starts["encoder_1e-3"].keys() == {"transmitter"}
  assert len(starts["latents_1e-3"].latents) == 2


def test_clips_of_the_paper_are_found_by_name(tmp_path: pathlib.Path) -> None:
  settings = {"start": 0, "stride": None, "num_frames": None, "size": None}
  find = functools.partial(xiph.load, "clip", **settings)
  folder = tmp_path / "sunflower_1080p25"
  folder.mkdir()
  for index in range(25):
    frame = np.full((4, 6, 3), index, np.uint8)
    content = images.encode_array(frame, ".png")
    (folder / f"{index}.png").write_bytes(content)
  chosen = find(tmp_path, clip="sunflower")
  # Fails if frames are not two to the second.
  assert chosen[:, 0, 0, 0].tolist() == [0, 12, 24]
  assert len(find(folder, clip=None)) == 25
  for clip, problem in (("aspen", "holds 0 files"), ("bunny", "none of the")):
    with pytest.raises(data.VideoError, match=problem):
      find(tmp_path, clip=clip)
  with pytest.raises(data.VideoError, match="--data_dir"):
    find(None, clip=None)


def test_clips_of_the_paper_are_read_as_xiph_has_them(
  tmp_path: pathlib.Path,
) -> None:
  pytest.importorskip("av", reason="PyAV is not installed")
  pictures = [
    b"FRAME\n" + bytes([40 + 8 * index] * 24 + [128] * 12)
    for index in range(16)
  ]
  content = b"YUV4MPEG2 W6 H4 F30000:1001 C420jpeg\n" + b"".join(pictures)
  path = tmp_path / "aspen_1080p.y4m"
  path.write_bytes(content)
  settings = {"start": 0, "stride": None, "num_frames": None, "size": None}
  found = xiph.load("clip", tmp_path, clip="aspen", **settings)
  # Fails if frames are not two to the second of thirty.
  assert len(found) == 2
  whole = xiph.load("clip", path, clip=None, **settings)
  np.testing.assert_array_equal(whole[[0, 15]], found)
  assert whole.shape == (16, 4, 6, 3)
  path.write_bytes(content[:-20])
  with pytest.raises(data.VideoError, match="aspen"):
    xiph.load("clip", path, clip=None, **settings)
