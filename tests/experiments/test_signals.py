"""Signals that are no images: every config builds, some train and export."""

import dataclasses
import inspect
import json
import math
import pathlib
import sys
import types
from typing import Any

import jax
import nibabel
import numpy as np
import pytest
import soundfile
import xarray
from PIL import Image

from experiments import (
  build,
  era5,
  evaluation,
  fastmri,
  librispeech,
  shapenet10,
  signal_quality,
  signals,
  stills,
  ucf101,
)
from inrjax import coords, data
from inrjax.codec import errors, files_video, grid_fit, kinds, loading
from inrjax.networks import nerv
from inrjax.types import Context
from tests.data import test_binvox
from tests.experiments import test_configs as images

LAUNCHERS = {
  "era5": era5,
  "librispeech": librispeech,
  "fastmri": fastmri,
  "shapenet10": shapenet10,
  "stills": stills,
  "ucf101": ucf101,
}
FILES = sorted(
  path
  for name in LAUNCHERS
  for path in (images.FOLDER / name).glob("*.py")
  if path.stem != "__init__"
)
MODULATED = [path for path in FILES if not path.stem.startswith("ecop")]
WEIGHTS = [path for path in FILES if path not in MODULATED]
# Its variants are methods, as of images; trained in `test_clip_codec.py`.
MODULATED_ECOP = images.FOLDER / "ucf101/modulated_ecop_cpu.py"
TRAINED = (
  "era5/mscn_cpu",
  "librispeech/coinpp_cpu",
  "shapenet10/coinpp_cpu",
  "ucf101/functa_cpu",
)
PLACES = {
  "era5": "holes.nc",  # A third of its values is missing.
  "librispeech": "speech",
  "shapenet10": "voxels",
  "ucf101": "clips",
}
# Of a config of their kind: settings that come from elsewhere.
_APART = ("data.source.", "signal.", "gates.penalty.", "start.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
  """Fields, sounds, volumes, voxels and clips in their real formats."""
  root = tmp_path_factory.mktemp("data")
  rng = np.random.default_rng(0)
  latitudes, longitudes = np.linspace(90, -90, 7), np.arange(8) * 45.0
  values = 250 + 30 * np.cos(np.deg2rad(latitudes))[:, None]
  values = values + rng.normal(0, 3, (9, 7, 8))
  holed = np.where(rng.random((7, 8)) < 0.3, np.nan, values)
  for name, some in (("a.nc", values), ("holes.nc", holed)):
    xarray.Dataset(
      {"TREFHT": (("time", "lat", "lon"), some.astype("f4"), {"units": "K"})},
      {"lat": latitudes, "lon": longitudes},
    ).to_netcdf(root / name, engine="h5netcdf")
  for part in ("train", "val", "test"):
    (root / "globes" / part).mkdir(parents=True)
    np.savez(
      root / "globes" / part / "0.npz",
      latitude=latitudes,
      longitude=longitudes,
      temperature=values[0],
    )
    (root / "speech" / part).mkdir(parents=True)
    for index in range(4):
      sound = np.cumsum(rng.normal(0, 300, 900)).astype(np.int16)
      path = root / "speech" / part / f"{index}.flac"
      soundfile.write(path, sound, 16000, "PCM_16")
  (root / "volumes").mkdir()
  for name in ("a", "b", "test"):
    values = np.zeros((7, 6, 5), np.uint8)
    values[2:] = rng.integers(1, 200, (5, 6, 5))
    image = nibabel.Nifti1Image(values, np.eye(4))
    nibabel.save(image, root / "volumes" / f"{name}.nii.gz")
  (root / "voxels").mkdir()
  for part in ("train", "test"):
    boxes = {f"{i}": np.ones((2 + i, 3, 4), np.uint8) for i in range(4)}
    np.savez(root / "voxels" / f"{part}.npz", **boxes)
  for index, name in enumerate(("a", "b", "c")):
    write_clip(root / "clips" / name, 40 * (index + 1))
  return root


def write_clip(path: pathlib.Path, level: int, num_frames: int = 5) -> None:
  """A folder of frames, of values from a level on."""
  path.mkdir(parents=True)
  rng = np.random.default_rng(level)
  for index in range(num_frames):
    frame = rng.integers(level, level + 30, (6, 8, 3), np.uint8)
    Image.fromarray(frame).save(path / f"{index}.png")


def shrunk(config: Any) -> dict[str, Any]:
  """A config at a size that compiles and runs in seconds."""
  with config.unlocked():
    config.num_modulations = 3
    config.network.update(depth=1, width=4)
    config.inner.num_steps = 1
    config.train.update(
      num_steps=2, log_every=1, checkpoint_every=2, evaluate_every=2
    )
    config.data.pipeline.update(batch_size=4, read_threads=0, crops_per_image=1)
    config.outer.task_tile = 2
    shrink_signals(config.data.source, config.signal)
    config.evaluate.update(
      num_signals=2,
      num_validation_signals=1,
      num_steps=(1,),
      ema_decays=(1.0,),
      qualities=(30.0,),
      bits=(2, 8),
    )
    config.evaluate.encoder.num_steps = 1
    config.export.num_signals = 2
  return config.to_dict()


def shrink_signals(source: Any, signal: Any) -> None:
  """Signals of tens of values."""
  settings = {
    "num_frames": {
      "num_frames": 4,
      "train_frames": 5,
      "size": (6, 8),
      "test_files": ("b", "c"),
    },
    "stride": {"stride": 1, "held_out": 2},
    "seconds": {"seconds": 0.05, "held_out": 2},
    "box": {"test_files": ("test.nii.gz",), "box": (5, 5, 5)},
    "threshold": {"side": 6, "num_variants": 2},
  }
  source.update(next(v for k, v in settings.items() if k in source))
  if signal.sides is not None:
    signal.sides = {1: (50,), 3: (3, 3, 3)}[len(signal.sides)]


@pytest.mark.parametrize("path", FILES, ids=images.name_of)
def test_every_variant_builds_and_is_locked(path: pathlib.Path) -> None:
  module = images.read(path)
  for variant in module.VARIANTS:
    config = module.get_config(variant)
    assert config.is_locked
    values = config.to_dict()
    json.dumps(values)
    # Fails if an option is not known, or network and signal do not agree.
    build.make_method(values)
    encoder = values["evaluate"].get("encoder")
    spec = signals.make_spec(
      values, **(encoder or {"num_steps": 1, "ema_decay": 1.0})
    )
    assert spec.on_sphere == (path.parent.name == "era5")
    if path in MODULATED and path != MODULATED_ECOP:
      num_values = values["num_modulations"]
      assert variant.split("-")[0] == str(num_values)
    # Fails if a launcher does not take what the source section gives it.
    load = LAUNCHERS[path.parent.name].load
    inspect.signature(load).bind("train", None, **values["data"]["source"])
  with pytest.raises(ValueError, match="is not one of"):
    module.get_config("no such variant")
  for words in ("--config=experiments/configs/", "Hardware and time:"):
    assert words in module.__doc__


@pytest.mark.parametrize("path", MODULATED, ids=images.name_of)
def test_settings_are_those_of_the_configs_that_train(path) -> None:
  method = path.stem.removesuffix("_cpu")
  like = "era5/mscn_cpu" if method == "mscn" else "librispeech/coinpp_cpu"
  ours = set(settings_of(path))
  if path.parent.name == "fastmri":
    ours -= {"data.pipeline.min_spread"}
  if path == MODULATED_ECOP:
    ours -= {"evaluate.gradient"}
    ours = {s for s in ours if not s.startswith(("select.", "objective."))}
  # Fails if a config has a setting of its own, which nothing then reads.
  assert ours <= set(settings_of(images.FOLDER / f"{like}.py"))


@pytest.mark.parametrize("path", WEIGHTS, ids=images.name_of)
def test_configs_of_weights_have_the_settings_of_images(path) -> None:
  module = images.read(path)
  for variant in module.VARIANTS:
    method, *_ = variant.split("-")
    image = images.read(images.FOLDER / "afhq/ecop.py")
    like = image.get_config(method).to_dict()
    values = module.get_config(variant).to_dict()
    added = set(images.leaves(values)) - set(images.leaves(like))
    # Fails if a config has a setting that no launcher reads.
    assert {s for s in added if not s.startswith(_APART)} == _added(values)
    # Fails if LPIPS is asked of what is no picture, or cannot be of clips.
    assert ("lpips_weights" in values["evaluate"]) == (
      values["signal"]["kinds"] == ("video",)
    )
    for name in ("select", "objective"):
      assert (name in values) == (name in like)


def _added(values: dict[str, Any]) -> set[str]:
  """Settings that a config of images has not."""
  if values["network"]["kind"] == "siren":
    return {"evaluate.num_signals", "network.in_dim"}
  fields = {field.name for field in dataclasses.fields(nerv.NervConfig)}
  # Fails if a default of the network is not to be seen in the config.
  assert set(values["network"]) == fields | {"kind"}
  shared = {"out_dim"}
  return {"evaluate.num_signals", *(f"network.{f}" for f in fields - shared)}


def settings_of(path: pathlib.Path) -> list[str]:
  config = images.read(path).get_config().to_dict()
  return [s for s in images.leaves(config) if not s.startswith(_APART)]


@pytest.mark.parametrize("name", TRAINED)
def test_configs_train_evaluate_and_export(
  name, folder, tmp_path, monkeypatch
) -> None:
  # One device compiles sooner; four are tested with the training loop.
  monkeypatch.setattr(jax, "device_count", lambda: 1)
  fit = grid_fit.fit_grid_codec
  # A card reads all settings.
  monkeypatch.setattr(
    grid_fit,
    "fit_grid_codec",
    lambda *args, card, **settings: fit(*args, **settings),
  )
  config = shrunk(images.read(images.FOLDER / f"{name}.py").get_config())
  seen: set[str] = set()
  recorded = images.Recorder(config, "", seen)
  data_set = name.split("/")[0]
  data_dir = folder / PLACES[data_set]
  launcher = LAUNCHERS[data_set]

  def load(split: str) -> signals.SignalSource:
    return launcher.load(split, data_dir, **recorded["data"]["source"])

  run = signals.Run(recorded, tmp_path, load)
  run.meta_learn()
  run.measure()
  run.write_model()
  last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
  assert last["step"] == 2 and math.isfinite(last["loss"])
  assert math.isfinite(last["validation_psnr"])
  record = json.loads((tmp_path / evaluation.RESULTS).read_text())
  (point,) = record["quantised"]
  assert record["num_signals"] == 2 and record["unquantised"]
  assert 0 < point["payload_bpp"] < point["bpp"]
  assert point["rmse"] <= point["max_error"]
  coarse, fine = record["fixed_width"]
  assert (coarse["num_bits"], fine["num_bits"]) == (2, 8)
  assert fine["nominal_bpp"] == pytest.approx(4 * coarse["nominal_bpp"])
  assert 0 < coarse["estimated_bpp"] < fine["estimated_bpp"]
  assert math.isfinite(coarse["psnr"])
  if data_set == "shapenet10":
    for found in (point, *record["unquantised"]):
      # Fails if accuracies are given in percent, or not at all.
      assert 0 < found["accuracy"] <= 1
      assert 0 <= found["intersection_over_union"] <= 1
  codec = loading.load(tmp_path / "model.inrmodel")
  # Fails if the model is not what can compress the data set's own signals.
  codec.compress_signals([load("test")[0]], effort="fast")
  # Fails if a setting is added that the launcher forgets.
  assert set(images.leaves(config)) <= seen


def test_fields_are_found_in_either_form(folder) -> None:
  options = {"variable": "TREFHT", "stride": 1, "held_out": 2, "regrid": None}
  assert len(era5.load("train", folder / "a.nc", **options)) == 7
  test = era5.load("test", folder / "a.nc", **options)
  assert len(test) == 2 and test[0].unit == "K"
  with pytest.warns(UserWarning, match="variable=TREFHT.* are not used"):
    globes = era5.load("validation", folder / "globes", **options)
  # Fails if files of one are read with the other's names.
  assert globes[0].values.shape == (7, 8, 1)
  with pytest.warns(UserWarning, match="not used"):
    other = era5.load("test", folder / "globes", **options | {"regrid": (3, 4)})
  # Fails if a grid that was asked for is forgotten.
  assert other[0].values.shape == (3, 4, 1) and other[0].unit == "K"
  wrong = options | {"variable": "t2m"}
  with pytest.raises(errors.UnsupportedSignalError, match="TREFHT"):
    era5.load("train", folder / "a.nc", **wrong)


def test_the_mean_of_the_training_is_a_codec_of_no_bits() -> None:
  # Fails if it is the test's own mean, or a missing value counts as 0.
  def field(*values: float) -> kinds.Signal:
    return kinds.Signal("field", np.array(values, np.float32))

  training = [field(1.0, 4.0, np.nan), field(3.0, np.nan, np.nan)]
  found = signal_quality.of_mean(
    training,
    [field(2.0, 4.0, 0.0), field(4.0, np.nan, 0.0)],
    value_range=(0.0, 10.0),
  )
  assert found["rmse"] == pytest.approx((0 + np.sqrt(2)) / 2)


def test_fields_of_several_files_lie_on_one_grid(folder, tmp_path) -> None:
  options = {"variable": "tas,TREFHT", "stride": 1, "held_out": 2}
  first = xarray.open_dataset(folder / "a.nc")
  first.to_netcdf(tmp_path / "a.nc")
  other = first.rename(TREFHT="tas").isel(lat=slice(None, None, -1)) - 1
  other.tas.attrs["units"] = "K"
  other.to_netcdf(tmp_path / "b.nc")
  with pytest.raises(errors.UnsupportedSignalError, match="2 files.*regrid"):
    era5.load("train", tmp_path, **options, regrid=None)
  found = {
    split: era5.load(split, tmp_path, **options, regrid=(7, 16))
    for split in ("train", "test")
  }
  # Fails if what is held out is only of the last file.
  assert [len(source) for source in found.values()] == [14, 4]
  fields = [found["test"][i] for i in (1, 3)]
  assert fields[0].values.shape == (7, 16, 1) and fields[0].unit == "K"
  # Fails if rows are taken in the order of the files.
  np.testing.assert_allclose(fields[0].values - fields[1].values, 1, atol=1e-3)
  other.tas.attrs["units"] = "degC"
  other.to_netcdf(tmp_path / "c.nc")
  with pytest.raises(errors.UnsupportedSignalError, match="degC"):
    era5.load("train", tmp_path, **options, regrid=(7, 16))


def fields_run(path: pathlib.Path, name: str, **settings: Any) -> signals.Run:
  """A run on fields of a file, of a config that is shrunk."""
  config = images.read(images.FOLDER / f"era5/{name}.py").get_config()
  values = shrunk(config) | settings
  source = values["data"]["source"]
  return signals.Run(
    values, path.parent, lambda split: era5.load(split, path, **source)
  )


def test_what_fields_miss_is_in_no_loss(folder) -> None:
  for name, expected in (("a.nc", Context), ("holes.nc", coords.MaskedContext)):
    run = fields_run(folder / name, "coinpp_cpu")
    batch = next(run._batches())
    seen = []

    def adapt(key, outer, noise, context, seen=seen):
      seen.append(context)
      raise StopIteration

    # It cannot be set on a frozen value.
    object.__setattr__(run._method, "adapt", adapt)
    state = run._problem.state
    with pytest.raises(StopIteration):
      run._problem.objective(state.key, state.params, state.carry, batch)
    # Fails if other runs compile another program than they did.
    assert type(seen[0]) is expected
  assert np.isnan(batch).any()
  start = {"num_signals": 7, "num_steps": 1}
  basis = fields_run(folder / "holes.nc", "coinpp_cpu", start=start)
  with pytest.raises(build.ConfigError, match="principal components"):
    basis._start()


def test_errors_leave_out_what_is_missing() -> None:
  unit = np.random.default_rng(0).random((4, 5, 1)).astype(np.float32)
  there = np.arange(20).reshape(4, 5, 1) % 3 > 0
  holed = np.where(there, unit, np.float32(np.nan))
  masks = []

  class Network(Same):
    def fit(self, blocks, coords, *, present):
      masks.append(present)
      # Fails if NaN reaches the network.
      return np.where(np.isfinite(blocks), blocks + np.float32(0.1), np.nan)

  found = signal_quality.of_fits(
    Network(None), [holed], np.zeros((20, 3)), kind="field"
  )
  assert found == {"psnr": pytest.approx(20, abs=1e-3)}
  np.testing.assert_array_equal(masks[0], there.reshape(1, 20))


def test_missing_values_that_cannot_be_used_are_refused() -> None:
  values = np.ones((2, 6, 1), np.float32)
  values[1, 2] = np.nan
  source = [kinds.Signal("array", one) for one in values]

  class Spec:
    sides, value_range = None, (0.0, 2.0)

  class Blocks(Spec):
    sides = (3,)

  assert np.isnan(signals._Units(source, Spec)[1]).sum() == 1
  with pytest.raises(errors.UnsupportedSignalError, match="cut into blocks"):
    signals._Units(source, Blocks)[1]
  with pytest.raises(errors.UnsupportedSignalError, match="Signal 1 has"):
    signals._Units(source, Spec, may_miss=False)[1]
  for bad in (np.nan, np.inf):
    wrong = [kinds.Signal("array", np.full((6, 1), bad, np.float32))]
    with pytest.raises(errors.UnsupportedSignalError, match="infinite"):
      signals._Units(wrong, Spec)[0]


def test_sounds_are_split(folder) -> None:
  options = {"seconds": 0.05, "rate": 16000, "held_out": 1, "tfds": None}
  found = {
    split: librispeech.load(split, folder / "speech", **options)
    for split in ("train", "validation", "test")
  }
  assert [len(source) for source in found.values()] == [3, 1, 4]
  # Fails if validation shares a sound with training.
  train = [found["train"][i].values for i in range(3)]
  held_out = found["validation"][0].values
  assert not any(np.array_equal(held_out, values) for values in train)
  every = options | {"held_out": 0}
  train, seen = (
    librispeech.load(split, folder / "speech", **every)
    for split in ("train", "validation")
  )
  # Fails if nothing can be held out of training.
  assert len(train) == 4
  first = found["test"][0].values
  np.testing.assert_array_equal(seen[0].values, first)
  other = librispeech.load(
    "test", folder / "speech", **options | {"rate": 8000}
  )
  with (
    pytest.warns(data.UnreadableAudioWarning, match="samples a second"),
    pytest.raises(errors.UnsupportedSignalError),
  ):
    other[0]


def test_broken_sounds_for_validation_are_not_those_trained_on(
  folder, tmp_path
) -> None:
  for path in sorted((folder / "speech/train").iterdir()):
    (tmp_path / "train").mkdir(exist_ok=True)
    (tmp_path / "train" / path.name).write_bytes(path.read_bytes())
  (tmp_path / "train/3.flac").write_bytes(b"")
  options = {"seconds": 0.05, "rate": 16000, "held_out": 2, "tfds": None}
  held_out = librispeech.load("validation", tmp_path, **options)
  with pytest.warns(data.UnreadableAudioWarning, match="3.flac"):
    values = held_out[1].values
  # Fails if the first sound of training stands in for the last one.
  np.testing.assert_array_equal(values, held_out[0].values)


def test_sounds_of_tfds(monkeypatch) -> None:
  # Fails if a folder is asked for, or TFDS is given LibriSpeech's own names.
  asked = []

  def data_source(name, *, split, data_dir):
    asked.append((name, split))
    return [{"speech": np.arange(100)}] * 3

  module = types.ModuleType("tensorflow_datasets")
  module.data_source = data_source
  monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
  options = {"seconds": 0.005, "rate": 16000, "held_out": 1}
  for split in ("train", "validation", "test"):
    found = librispeech.load(split, None, **options, tfds="librispeech")
    assert found[0].values.shape == (80, 1)
  splits = [split for _, split in asked]
  assert splits == ["train_clean100", "train_clean100", "test_clean"]
  with pytest.raises(SystemExit, match="data_dir"):
    librispeech.load("test", None, **options, tfds=None)


def test_weights_are_fitted(folder, tmp_path) -> None:
  path = images.FOLDER / "librispeech/ecop_cpu.py"
  config = images.read(path).get_config()
  with config.unlocked():
    shrink_signals(config.data.source, config.signal)
    config.data.source.seconds = 50 / 16000
    config.network.update(depth=1, width=4)
    config.inner.num_steps = config.objective.num_steps = 1
    config.train.num_steps = 0  # Nothing is learned, so nothing is read.
    config.data.pipeline.update(batch_size=2, read_threads=0)
    config.evaluate.update(
      num_signals=3, num_validation_signals=1, signals_per_call=2
    )
    config.evaluate.fit.update(num_steps=2, gradients=("norm_scaled", "full"))
  values = config.to_dict()

  def load(split: str) -> signals.SignalSource:
    return librispeech.load(
      split, folder / "speech", **values["data"]["source"]
    )

  run = signals.Run(values, tmp_path, load)
  state = run._problem.state
  batch = next(run._batches())
  assert batch.shape == (2, 50, 1)
  loss, (metrics, _) = jax.eval_shape(
    run._problem.objective, state.key, state.params, state.carry, batch
  )
  # Fails if the objective is that of other methods.
  assert loss.shape == () and "bootstrap_distance" in metrics
  run.measure()
  record = json.loads((tmp_path / evaluation.RESULTS).read_text())
  assert [fit["gradient"] for fit in record["fits"]] == ["norm_scaled", "full"]
  for fit in record["fits"]:
    # Fails if the fit is that of training, of fewer steps.
    assert len(fit["psnr_by_step"]) == 3 and fit["num_steps"] == 2
    assert fit["psnr"] == fit["psnr_by_step"][-1]
  # Fails if the start, before any step, is not shared by all fits.
  first, second = (fit["psnr_by_step"][0] for fit in record["fits"])
  assert first == pytest.approx(second)
  # Fails if values are not brought to [0, 1] about the network's bias.
  assert first > 15
  found = run._validation(state)
  assert set(found) == {"validation_psnr"}
  holed = np.where(np.arange(50) % 2, 0.5, np.nan)[:, None].astype(np.float32)
  (fitted,) = run._make_fit(gradient="full")(
    jax.device_get(state.params), [holed]
  )
  # Fails if what is missing is in the loss of the fit.
  assert fitted.psnrs.shape == (3,) and np.isfinite(fitted.psnrs).all()
  assert fitted.values.shape == holed.shape
  with pytest.raises(build.ConfigError, match="--mode=export"):
    run.write_model()


VOLUMES = {
  "num_train": 2,
  "num_test": 1,
  "seed": 0,
  "test_files": ("test.nii.gz",),
  "percentile": None,
  "box": None,
}


def test_volumes_are_split_by_name(folder) -> None:
  root = folder / "volumes"
  train = fastmri.load("train", root, **VOLUMES)
  assert (len(train), train.value_range) == (2, None)
  whole = fastmri.load("test", root, **VOLUMES)[0]
  assert whole.kind == "volume" and whole.values.dtype == np.uint8
  boxed = fastmri.load("test", root, **VOLUMES | {"box": (3, 9, 4)})
  # Fails if a corner is taken for the middle, or a short axis is padded.
  np.testing.assert_array_equal(boxed[0].values, whole.values[2:5, :, 0:4])
  for names in ((), ("c.nii",), ("a.nii.gz", "b.nii.gz", "test.nii.gz")):
    with pytest.raises(errors.UnsupportedSignalError, match="test_files"):
      fastmri.load("train", root, **VOLUMES | {"test_files": names})
  with pytest.raises(errors.UnsupportedSignalError, match="nowhere"):
    fastmri.load("train", folder / "nowhere", **VOLUMES)
  with pytest.raises(SystemExit, match="--data_dir"):
    fastmri.load("train", None, **VOLUMES)


def test_a_broken_volume_is_not_made_up_from_the_other_split(tmp_path) -> None:
  for index in range(3):
    np.save(tmp_path / f"v{index}.npy", np.full((2, 2, 2), index, np.uint8))
  (tmp_path / "v1.npy").write_bytes(b"")
  options = VOLUMES | {"test_files": ("v1.npy",)}
  fastmri._divided.cache_clear()
  # Fails if v2, of training, is what is tested.
  with (
    pytest.warns(data.UnreadableVolumeWarning, match="v1.npy"),
    pytest.raises(errors.UnsupportedSignalError, match="None of 1 volumes"),
  ):
    fastmri.load("test", tmp_path, **options)[0]
  train = fastmri.load("train", tmp_path, **options)
  assert [int(train[i].values.max()) for i in range(2)] == [0, 2]


def test_blocks_of_volumes_are_drawn(folder) -> None:
  path = images.FOLDER / "fastmri/coinpp_cpu.py"
  values = shrunk(images.read(path).get_config())
  values["start"] = {"num_signals": 7}
  source = values["data"]["source"]

  def load(split: str) -> signals.SignalSource:
    return fastmri.load(split, folder / "volumes", **source)

  run = signals.Run(values, folder, load)
  batch = next(run._batches())
  assert batch.shape == (4, 3, 3, 3, 1) and batch.dtype == np.float32
  # Fails if a volume is not brought to [0, 1] by its own range.
  assert 0 <= batch.min() and 0.5 < batch.max() <= 1
  # Fails if a basis begins from whole volumes, or from those of one alone.
  assert run._start().shape == (7, 27, 1)
  state = run._problem.state
  loss, _ = jax.eval_shape(
    run._problem.objective, state.key, state.params, state.carry, batch
  )
  assert loss.shape == ()


def test_scans_are_clipped_to_the_range_of_training(tmp_path) -> None:
  h5py = pytest.importorskip("h5py", reason="h5py is not installed")
  rng = np.random.default_rng(0)
  for index in range(5):
    with h5py.File(tmp_path / f"{index}.h5", "w") as file:
      file.attrs["acquisition"] = "AXT2"
      values = rng.random((16, 6, 5), np.float32) + index
      file["reconstruction_rss"] = values
  options = VOLUMES | {"test_files": (), "percentile": 90.0}
  train = fastmri.load("train", tmp_path, **options)
  test = fastmri.load("test", tmp_path, **options)
  places = [
    int(source.volumes[i].min())
    for source in (train, test)
    for i in source.indices
  ]
  # Fails if a scan is in both.
  assert (len(train), len(test), len(set(places))) == (2, 1, 3)
  low, high = train.value_range
  every = np.stack([train.volumes[i] for i in train.indices])
  assert low == every.min()
  # Fails if the range is that of the test scans, or nothing is cut off.
  assert np.mean(every <= high) == pytest.approx(0.9, abs=0.01)
  for source in (train, test):
    assert source.value_range == (low, high)
    values = source[0].values
    assert values.dtype == np.float32
    assert low <= values.min() <= values.max() <= np.float32(high)
  with pytest.raises(build.ConfigError, match="sizes"):
    fastmri.load("train", tmp_path, **options | {"num_train": 5})
  config = images.read(images.FOLDER / "fastmri/coinpp.py").get_config()
  run = signals.Run(config.to_dict(), tmp_path, lambda split: train)
  # Fails if the model file does not say what becomes 0 and 1.
  assert run._spec.value_range == (low, high)


VOXELS = {
  "side": 6,
  "threshold": 0.05,
  "classes": None,
  "num_variants": 2,
  "test_share": 0.2,
  "seed": 0,
}


def test_voxels_of_either_form(folder, tmp_path) -> None:
  train = shapenet10.load("train", folder / "voxels", **VOXELS)
  assert len(train) == 8
  signal = train[0]
  assert signal.kind == "occupancy" and signal.values.shape == (6, 6, 6, 1)
  assert signal.values.dtype == np.float32
  assert set(np.unique(signal.values)) == {0, 1}
  # Fails if the first signals are all variants of the first shapes.
  assert sorted(train.indices) == [*range(8)] != train.indices
  for index in range(5):
    box = np.zeros((12, 12, 12), bool)
    box[1 : 4 + index, 2:9, 3:8] = True
    where = tmp_path / f"0{index % 2}/{index}/model.solid.binvox"
    test_binvox.write(where, box)
  parts = [shapenet10.load(s, tmp_path, **VOXELS) for s in ("train", "test")]
  assert [len(part) for part in parts] == [8, 2]
  shapes = [{path.parent.name for path in part.grids.paths} for part in parts]
  # Fails if variants of one shape are in both.
  assert shapes[0] | shapes[1] == {*"01234"} and not shapes[0] & shapes[1]
  assert parts[1][0].values.shape == (6, 6, 6, 1)
  some = shapenet10.load("train", tmp_path, **VOXELS | {"classes": ("00",)})
  assert len(some) == 4
  with pytest.raises(errors.UnsupportedSignalError, match="09"):
    shapenet10.load("train", tmp_path, **VOXELS | {"classes": ("09",)})
  with pytest.raises(build.ConfigError, match="sizes"):
    shapenet10.load("train", tmp_path, **VOXELS | {"test_share": 1.0})
  (left_out,) = shapes[1]
  broken = next(tmp_path.rglob(f"{left_out}/model.solid.binvox"))
  broken.write_bytes(b"")
  # Fails if a training shape stands in for a broken one of the test.
  with (
    pytest.warns(data.UnreadableVoxelsWarning),
    pytest.raises(errors.UnsupportedSignalError, match="None of 2 grids"),
  ):
    shapenet10.load("test", tmp_path, **VOXELS)[0]


CLIPS = {
  "num_frames": 3,
  "train_frames": None,
  "size": (3, 4),
  "start": 0,
  "stride": 1,
  "rate": 30.0,
  "test_files": ("c",),
  "division": 1,
  "seed": 0,
}


def levels(source: signals.SignalSource) -> list[int]:
  """Of the clips that `write_clip` wrote."""
  found = [source[i].values.min() for i in range(len(source))]
  return [int(value) // 40 * 40 for value in found]


def test_clips_are_split_by_name(folder) -> None:
  root = folder / "clips"
  longer = CLIPS | {"train_frames": 5, "stride": 1}
  train = ucf101.load("train", root, **longer)
  assert levels(train) == [40, 80]
  # Fails if clips for training are cut like those for testing.
  assert train[0].values.shape == (5, 3, 4, 3)
  test = ucf101.load("validation", root, **longer)
  assert levels(test) == [120]
  signal = test[0]
  assert signal.kind == "video" and signal.values.dtype == np.uint8
  assert signal.values.shape == (3, 3, 4, 3)
  for names in ((), ("d",), ("a", "b", "c")):
    with pytest.raises(errors.UnsupportedSignalError, match="test_files"):
      ucf101.load("train", root, **CLIPS | {"test_files": names})
  with pytest.raises(errors.UnsupportedSignalError, match="nowhere"):
    ucf101.load("train", folder / "nowhere", **CLIPS)
  with pytest.raises(SystemExit, match="--data_dir"):
    ucf101.load("train", None, **CLIPS)
  for wrong in ({"train_frames": 2}, {"stride": 0}, {"size": (0, 4)}):
    with pytest.raises(build.ConfigError):
      ucf101.load("train", root, **CLIPS | wrong)


def test_blocks_of_clips_are_drawn(folder) -> None:
  path = images.FOLDER / "ucf101/basis_cpu.py"
  values = shrunk(images.read(path).get_config())
  values["network"]["basis_dim"] = 3
  values["start"] = {"num_signals": 7, "num_steps": 1}
  source = values["data"]["source"]

  def load(split: str) -> signals.SignalSource:
    return ucf101.load(split, folder / "clips", **source)

  run = signals.Run(values, folder, load)
  batch = next(run._batches())
  assert batch.shape == (4, 3, 3, 3, 3)
  # Fails if frames are brought to [0, 1] by the range of each clip.
  assert batch.min() >= 40 / 255 and batch.max() < 70 / 255
  assert run._start().shape == (7, 27, 3)
  state = run._problem.state
  loss, _ = jax.eval_shape(
    run._problem.objective, state.key, state.params, state.carry, batch
  )
  assert loss.shape == ()


def test_clips_keep_their_rate(folder, tmp_path) -> None:
  known = {30.0: [30, 1], 29.97: [2997, 100], 30000 / 1001: [30000, 1001]}
  for rate, terms in known.items():
    test = ucf101.load("test", folder / "clips", **CLIPS | {"rate": rate})
    assert test[0].metadata == {"rate": terms}
  unknown = ucf101.load("test", folder / "clips", **CLIPS | {"rate": None})
  assert unknown[0].metadata == {}
  options = CLIPS | {"rate": 25.0, "stride": 2}
  signal = ucf101.load("test", folder / "clips", **options)[0]
  path = tmp_path / "a.gif"
  path.write_bytes(files_video.write(signal, ".gif"))
  # Fails if a clip that leaves frames out plays twice as fast.
  again = files_video.read(path, tools=data)
  assert again.metadata["rate"] == [25, 2]


def test_clips_that_cannot_be_used_are_left_out(tmp_path) -> None:
  for name, num_frames in (("a", 5), ("b", 2), ("c", 2)):
    write_clip(tmp_path / name, 40, num_frames)
  train = ucf101.load("train", tmp_path, **CLIPS)
  with pytest.warns(data.UnreadableVideoWarning, match="has 2 frames"):
    assert levels(train) == [40, 40]
  test = ucf101.load("test", tmp_path, **CLIPS)
  # Fails if what a source refuses is a traceback.
  with (
    pytest.warns(data.UnreadableVideoWarning),
    pytest.raises(errors.UnsupportedSignalError, match="readable"),
  ):
    test[0]


def test_clips_are_split_by_lists_and_folders(tmp_path) -> None:
  lists = tmp_path / "ucf/ucfTrainTestlist"
  lists.mkdir(parents=True)
  names = [f"{c}/v_{c}_g0{g}_c01" for c in ("Up", "Down") for g in range(3)]
  for index, name in enumerate(names):
    write_clip(tmp_path / "ucf/UCF-101" / name, 40 * index)
  train = [f"{name}.avi {i // 3}" for i, name in enumerate(names) if i % 3]
  (lists / "trainlist01.txt").write_text("\n".join(train) + "\n")
  test = [f"{name}.avi" for name in (*names[::3], "Up/v_Up_g09_c01")]
  (lists / "testlist01.txt").write_text("\r\n".join(test))
  options = CLIPS | {"test_files": ()}
  found = ucf101.load("train", tmp_path / "ucf", **options)
  # Fails if the first clips are all of one class.
  assert sorted(levels(found)) == [40, 80, 160, 200] != levels(found)
  with pytest.warns(data.UnreadableVideoWarning, match="1 of the 3"):
    found = ucf101.load("test", tmp_path / "ucf", **options)
  assert sorted(levels(found)) == [0, 120]
  # Fails if another division's list is taken.
  with pytest.raises(errors.UnsupportedSignalError, match="test_files"):
    ucf101.load("test", tmp_path / "ucf", **options | {"division": 2})
  (lists / "testlist03.txt").write_text("Up/other.avi\n")
  with pytest.raises(errors.UnsupportedSignalError, match="None of the 1"):
    ucf101.load("test", tmp_path / "ucf", **options | {"division": 3})
  write_clip(tmp_path / "kinetics/val/x/1", 80)
  found = ucf101.load("test", tmp_path / "kinetics", **options)
  assert levels(found) == [80]
  with pytest.raises(errors.UnsupportedSignalError, match="train"):
    ucf101.load("train", tmp_path / "kinetics", **options)


class Same:
  """A network whose fits are the blocks themselves."""

  def __init__(self, sides):
    self.spec = type("Spec", (), {"sides": sides})

  def fit(self, blocks, coords):
    return blocks + np.float32(0.1)

  def values(self, fast, coords):
    return fast


@pytest.mark.parametrize(
  ("shape", "sides"), [((7,), (3,)), ((4, 5), None), ((5, 4, 3), (2, 3, 3))]
)
def test_fits_of_blocks_of_any_number_of_axes(shape, sides) -> None:
  unit = np.random.default_rng(0).random((*shape, 1)).astype(np.float32)
  points = np.zeros((math.prod(sides or shape), len(shape)))
  found = signal_quality.of_fits(Same(sides), [unit], points, kind="array")
  # Fails if blocks come back in another order.
  assert found == {"psnr": pytest.approx(20, abs=1e-3)}


class Stored(Same):
  """A network that stores a block of two points as it is."""

  def fit(self, blocks, coords):
    return blocks[..., 0]

  def values(self, fast, coords):
    return fast[..., None]


def test_fixed_widths_are_those_of_the_training_signals() -> None:
  rng = np.random.default_rng(0)
  training = [rng.random((10, 1)).astype(np.float32) for _ in range(40)]
  unit = rng.random((6, 1)).astype(np.float32)
  records = signal_quality.fixed_width(
    Stored((2,)), iter(training), [unit], np.zeros((2, 1)),
    kind="array", num_bits=(3, 6), seed=0,
  )  # fmt: skip
  known = np.concatenate(training).reshape(-1, 2)
  for record in records:
    bits = record["num_bits"]
    # Fails if the range is that of the test, or not 3 deviations wide.
    low = known.mean(0) - 3 * known.std(0)
    step = 6 * known.std(0) / (2**bits - 1)
    rounded = low + step * np.rint((unit.reshape(-1, 2) - low) / step)
    error = np.mean((rounded - unit.reshape(-1, 2)) ** 2)
    assert record["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-3)
    # Six values of six places.
    assert record["nominal_bpp"] == bits
    assert record["estimated_bpp"] < bits


def test_the_papers_numbers_for_volumes_and_voxels() -> None:
  def config_of(name: str, variant: str) -> Any:
    return images.read(images.FOLDER / f"{name}.py").get_config(variant)

  scans = config_of("fastmri/coinpp", "32")
  assert (scans.network.depth, scans.network.width) == (10, 512)
  assert scans.signal.sides == (16, 16, 16) and scans.network.w0 == 50
  assert scans.data.pipeline.batch_size == 16
  assert scans.outer.learning_rate == 3e-6
  assert scans.evaluate.encoder.num_steps == 10
  for name in ("functa", "mscn"):
    shapes = config_of(f"shapenet10/{name}", "1024")
    assert (shapes.network.depth, shapes.network.w0) == (20, 30)
    assert config_of(f"shapenet10/{name}", "512").network.depth == 15
    assert shapes.inner.clip == (0, 1) and shapes.inner.num_steps == 3
  assert shapes.gates.penalty.weight == 3 and shapes.data.source.side == 64
  speech = config_of("librispeech/ecop", "learnit-3")
  assert speech.signal.sides == (48000,) and speech.signal.low == -50
  assert speech.outer.learning_rate == 3e-6 and speech.inner.num_steps == 4
  fields = config_of("era5/ecop", "ecop")
  assert (fields.network.w0, fields.network.width) == (50, 256)
  # Fails if gamma is that of images: 4 / 0.5 steps.
  assert fields.inner.num_steps == 8 and fields.select.ratio == 0.5


def test_the_papers_numbers_for_clips() -> None:
  config_of = images.read(images.FOLDER / "ucf101/ecop.py").get_config
  small, large = (config_of(f"ecop-{s}") for s in ("128x128x16", "256x256x32"))
  assert (small.network.depth, small.network.width) == (6, 256)
  assert (small.network.w0, small.outer.learning_rate) == (30, 1e-5)
  assert small.train.num_steps == 100_000 and small.select.ratio == 0.25
  assert small.objective.weight == 100 and small.objective.num_steps == 5
  assert small.signal.sides == (16, 128, 128)
  # Fails if K is that of other signals, or tested with that of training.
  assert small.inner.num_steps == 8 and small.evaluate.fit.num_steps == 16
  learnit = config_of("learnit-128x128x16")
  assert learnit.inner.num_steps == 2 and learnit.evaluate.fit.num_steps == 16
  assert large.inner.num_steps == 4 and large.signal.sides == (32, 256, 256)
  assert large.data.source.size == (256, 256)
  # Fails if scores are of all points at once.
  assert large.select.tile == large.inner.point_tile == 2**16
  assert config_of("random_init-128x128x16").train.num_steps == 0
