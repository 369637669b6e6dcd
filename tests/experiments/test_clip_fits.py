"""Fits of clips: NeRV's frames, still images, and how alike they look."""

import json
import math
import pathlib
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from experiments import (
  build,
  evaluation,
  picture_quality,
  signal_quality,
  signals,
  stills,
  ucf101,
  weights,
)
from inrjax.codec import kinds
from inrjax.coords import select
from inrjax.evaluate import lpips, metrics
from inrjax.networks import nerv
from inrjax.sparsity import pruning
from tests.evaluate import test_lpips
from tests.experiments import test_configs as images

SIDE = 16  # Enough for LPIPS on VGG16.
NERV = images.FOLDER / "ucf101/ecop_nerv.py"


@pytest.fixture(autouse=True)
def one_device(monkeypatch: pytest.MonkeyPatch) -> None:
  """One device compiles sooner; four are tested with the training loop."""
  monkeypatch.setattr(jax, "device_count", lambda: 1)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> pathlib.Path:
  """Two clips for training and `carphone_pristine.mp4` for testing."""
  root = tmp_path_factory.mktemp("clips")
  for level, name in enumerate(("a", "b", "carphone_pristine.mp4")):
    write_pictures(root / name, 40 * (level + 1), 5)
  return root


@pytest.fixture(scope="module")
def lpips_weights(tmp_path_factory) -> pathlib.Path:
  folder = tmp_path_factory.mktemp("weights")
  return test_lpips.saved(folder, test_lpips.arrays_of("vgg16"))


def write_pictures(folder: pathlib.Path, level: int, count: int) -> None:
  folder.mkdir(parents=True)
  rng = np.random.default_rng(level)
  for index in range(count):
    picture = rng.integers(level, level + 30, (SIDE + 2, SIDE, 3), np.uint8)
    Image.fromarray(picture).save(folder / f"{index}.png")


def shrunk(config: Any) -> Any:
  """A config of clips at a size that compiles and runs in seconds."""
  with config.unlocked():
    config.inner.num_steps = 1
    config.train.update(
      num_steps=1, log_every=1, checkpoint_every=1, evaluate_every=1
    )
    config.data.pipeline.update(batch_size=1, read_threads=0)
    config.evaluate.update(num_validation_signals=1, num_signals=2)
    config.evaluate.fit.update(num_steps=2, gradients=("full",))
    if "objective" in config:
      config.objective.num_steps = 1
    if config.network.kind == "nerv":
      config.network.update(
        strides=(4,), stem_size=(4, 4), stem_channels=3, stem_width=4,
        expansion=1, min_channels=2, num_frequencies=3,
      )  # fmt: skip
      config.signal.sides = (4, SIDE, SIDE)
    else:
      config.network.update(depth=1, width=4)
      config.signal.sides = (config.signal.sides[0], SIDE, SIDE)
    source = config.data.source
    source.size = (SIDE, SIDE)
    if "num_frames" in source:
      source.update(
        num_frames=4, train_frames=5, test_files=("carphone_pristine.mp4",)
      )
      config.signal.sides = (4, SIDE, SIDE)
  return config


def run_of(
  config: Any, launcher: Any, data_dir: pathlib.Path, *args: Any
) -> signals.Run:
  def load(split: str) -> signals.SignalSource:
    return launcher.load(split, data_dir, **config["data"]["source"])

  return signals.Run(config, args[0], load, *args[1:])


def test_frames_train_and_are_evaluated(clips, lpips_weights, tmp_path) -> None:
  config = shrunk(images.read(NERV).get_config("learnit-128x128x16"))
  config.evaluate.lpips_weights = str(lpips_weights)
  values = config.to_dict()
  seen: set[str] = set()
  run = run_of(images.Recorder(values, "", seen), ucf101, clips, tmp_path)
  run.meta_learn()
  last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
  assert math.isfinite(last["loss"]) and last["validation_psnr"] > 3
  run.measure()
  record = json.loads((tmp_path / evaluation.RESULTS).read_text())
  (fit,) = record["fits"]
  assert fit["psnr"] == fit["psnr_by_step"][-1] and fit["num_steps"] == 2
  assert [p.name for p in tmp_path.glob("pictures/*")] == ["full_0.png"]
  # What the fit has made, once more, measured by hand.
  units = signals._Units([run.load("test")[0]], run._spec)
  assert run._coords.shape == (4, 1)
  (fitted,) = run._make_fit(gradient="full")(run._trained(), units)
  original = run.load("test")[0].values
  assert fitted.values.shape == original.shape
  rounded = np.rint(fitted.values * 255).astype(np.uint8)
  pairs = list(zip(original, rounded, strict=True))
  network = lpips.read_lpips_weights(lpips_weights)
  # Fails if frames are cut or ordered wrongly, or a metric is of the clip.
  for name, metric in (
    ("frame_psnr", metrics.psnr),
    ("ssim", metrics.ssim),
    ("lpips", lambda a, b: float(lpips.lpips(network, a, b))),
  ):
    expected = np.mean([metric(a, b) for a, b in pairs])
    assert fit[name] == pytest.approx(expected, rel=1e-3)
  assert fit["psnr"] == pytest.approx(metrics.psnr(original, rounded), abs=0.1)
  with pytest.raises(build.ConfigError, match="--mode=export"):
    run.write_model()
  # Fails if a setting is added that the launcher forgets.
  assert set(images.leaves(values)) <= seen


@pytest.mark.parametrize("method", ["ecop", "gradncp"])
def test_frames_are_selected_in_training(method, clips, tmp_path) -> None:
  config = images.read(NERV).get_config(f"{method}-128x128x16")
  run = run_of(shrunk(config).to_dict(), ucf101, clips, tmp_path)
  batch = next(run._batches())
  assert batch.shape == (1, 4, SIDE, SIDE, 3)
  state = run._problem.state
  program = str(
    jax.make_jaxpr(run._problem.objective)(
      state.key, state.params, state.carry, batch
    )
  )
  # Fails if points are pixels, or steps see all 4 frames of a clip.
  assert "top_k" in program and f"f32[2,{3 * SIDE**2}]" in program


def test_points_belong_to_their_network() -> None:
  values = shrunk(images.read(NERV).get_config()).to_dict()
  spec = signals.make_spec(values, num_steps=1, ema_decay=1.0)
  assert spec.coords().tolist() == [[-0.75], [-0.25], [0.25], [0.75]]
  wrong = {
    "signal.points is 'places'": {"points": "places"},
    "signal.points is 'pixels'": {"points": "pixels"},
    "makes frames of 16 x 16": {"sides": (4, 16, 8)},
    "Only clips": {"kinds": ("volume",)},
    "value_range must rise": {"value_range": (1.0, 1.0)},
  }
  for message, settings in wrong.items():
    other = values | {"signal": values["signal"] | settings}
    with pytest.raises(ValueError, match=message):
      signals.make_spec(other, num_steps=1, ema_decay=1.0)
  siren = images.read(images.FOLDER / "ucf101/ecop.py").get_config().to_dict()
  siren["signal"]["points"] = "frames"
  with pytest.raises(ValueError, match="network.kind is 'nerv'"):
    signals.make_spec(siren, num_steps=1, ema_decay=1.0)


def test_gradients_of_the_last_layer_know_what_is_behind_it(
  monkeypatch,
) -> None:
  values = shrunk(images.read(NERV).get_config("gradncp-128x128x16")).to_dict()
  given = {}

  def top(predict, features, ratio, *, output_slope, tile=None):
    given.update(slope=output_slope, ratio=ratio)
    return select.full_context

  monkeypatch.setattr(select, "top_gradient_norm", lambda *a, **k: top(*a, **k))
  build.make_method(values)
  # Fails if NeRV's (1 + tanh) / 2 is taken for no function at all.
  assert given == {"slope": nerv.output_slope, "ratio": 0.5}


def test_the_papers_numbers_for_frames() -> None:
  config_of = images.read(NERV).get_config
  expected = {
    "128x128x16": (nerv.small(), 0.5, 20, 40, 16),
    "256x256x32": (nerv.large(), 0.2, 5, 25, 32),
  }
  for size, (network, ratio, short, long, num_frames) in expected.items():
    ecop, learnit = (config_of(f"{m}-{size}") for m in ("ecop", "learnit"))
    assert build.make_any_network(ecop.to_dict()) == network
    side = network.frame_shape()[0]
    assert ecop.signal.sides == (num_frames, side, side)
    assert ecop.data.source.size == (side, side)
    assert ecop.select.ratio == ratio
    assert ecop.objective.weight == 100 and ecop.objective.num_steps == 5
    assert (learnit.inner.num_steps, ecop.inner.num_steps) == (short, long)
    for config in (ecop, learnit):
      assert config.inner.low == config.inner.high == 0.1
      assert config.outer.learning_rate == 1e-4
      assert config.train.num_steps == config.outer.num_steps == 150_000
      # Fails if methods are compared after different numbers of steps.
      assert config.evaluate.fit.num_steps == long
  small = images.read(images.FOLDER / "ucf101/ecop_nerv_cpu.py").get_config
  # Fails if a method of two cores has another's steps.
  assert small("learnit").inner.num_steps == 5
  assert small("ecop").inner.num_steps == 10


def test_what_clips_taught_adapts_to_images(clips, tmp_path) -> None:
  trained = shrunk(
    images.read(images.FOLDER / "ucf101/ecop_cpu.py").get_config("learnit")
  ).to_dict()
  run_of(trained, ucf101, clips, tmp_path / "clips").meta_learn()
  for split in ("train", "val"):
    write_pictures(tmp_path / "images" / split / "n0", 90, 3)
  config = images.read(images.FOLDER / "stills/ecop_cpu.py").get_config(
    "learnit"
  )
  values = shrunk(config).to_dict()
  run = run_of(
    values, stills, tmp_path / "images", tmp_path / "stills", tmp_path / "clips"
  )
  # Fails if an image lies at the start of the range of times.
  assert run._coords.shape == (SIDE**2, 3) and not run._coords[:, 0].any()
  run.measure()
  record = json.loads((tmp_path / "stills" / evaluation.RESULTS).read_text())
  (fit,) = record["fits"]
  assert record["num_signals"] == 2 and "ssim" in fit
  # Of one frame the two are one, up to rounding.
  assert fit["frame_psnr"] == pytest.approx(fit["psnr"], abs=0.1)
  # Fails if what was trained is not what is measured.
  fresh = run._problem.state.params
  learned = run._trained()
  assert any(
    not np.array_equal(a, b)
    for a, b in zip(
      jax.tree.leaves(fresh), jax.tree.leaves(learned), strict=True
    )
  )


def test_images_as_clips_of_one_frame(tmp_path) -> None:
  write_pictures(tmp_path / "images", 0, 12)
  options = {"size": (8, 6), "listing": "list.txt"}
  test = stills.load("test", tmp_path, **options)
  # Of twelve names the first and the eleventh are for testing.
  assert len(test) == 2
  signal = test[0]
  assert signal.kind == "video" and signal.values.shape == (1, 8, 6, 3)
  kinds.own_range(signal.kind, signal.values)
  (tmp_path / "list.txt").write_text("3.png 2\n4.png 0\n")
  chosen = stills.load("train", tmp_path, **options | {"size": (18, 16)})
  path = tmp_path / "images/4.png"
  np.testing.assert_array_equal(
    chosen[0].values[0], np.asarray(Image.open(path))
  )
  with pytest.raises(SystemExit, match="--data_dir"):
    stills.load("test", None, **options)


def test_the_metrics_of_frames() -> None:
  original = np.full((2, 4, 4, 3), 100, np.uint8)
  decoded = original + np.array([2, 20], np.uint8).reshape(2, 1, 1, 1)
  found = signal_quality.of_kind("video", original, decoded)
  # Fails if errors are averaged before their logarithm; frames are too small
  # for SSIM, and there are no weights of LPIPS.
  assert found == {
    "frame_psnr": pytest.approx(20 * math.log10(255) - 10 * math.log10(40))
  }
  assert signal_quality.of_kind("audio", original, decoded) == {}
  values = np.full((2, 4, 4, 3), 100 / 255, np.float32)
  broken = values.copy()
  broken[1] = np.nan
  with pytest.warns(picture_quality.DivergedClipWarning, match="inner.low"):
    found = picture_quality.of_clip(values, broken)
  # Fails if the frame that is there counts as lost.
  assert found["frame_psnr"] == math.inf


def test_lpips_of_records_of_images(lpips_weights) -> None:
  rng = np.random.default_rng(0)
  originals = list(rng.integers(0, 256, (2, SIDE, SIDE, 3), np.uint8))
  decoded = rng.random((2, SIDE**2, 3)).astype(np.float32)
  config = {
    "signal": {"side": SIDE, "channels": 3},
    "evaluate": {"lpips_weights": None},
  }
  arguments = {
    "images": originals,
    "survivors": pruning.Survivors(1, 1, 1, 1),
    "gradient": "full",
    "psnrs": np.ones((2, 3)),
    "decoded": decoded,
    "rounded": decoded,
  }
  without, _ = weights._describe(config, **arguments)
  assert "ssim" in without and "lpips" not in without
  config["evaluate"]["lpips_weights"] = str(lpips_weights)
  record, pictures = weights._describe(config, **arguments)
  network = lpips.read_lpips_weights(lpips_weights)
  expected = lpips.lpips(network, np.stack(originals), np.stack(pictures))
  # Fails if an image is compared with another's reconstruction.
  assert record["lpips"] == pytest.approx(expected.mean())


def test_weights_of_lpips_that_cannot_be_used(lpips_weights, tmp_path) -> None:
  def perceptual(path: Any, side: int) -> Any:
    settings = {"lpips_weights": path and str(path)}
    return picture_quality.perceptual(settings, (side, 99))

  assert (
    perceptual(None, 1) is None
    and picture_quality.perceptual({}, (1, 1)) is None
  )
  # Fails if the remedy is not named.
  with pytest.raises(build.ConfigError, match=r"docs/data_sets\.md"):
    perceptual(tmp_path / "none.npz", SIDE)
  with pytest.raises(build.ConfigError, match="lpips_weights.*16 x 16"):
    perceptual(lpips_weights, SIDE - 1)
