"""Signals that are no images: every config builds, some train and export."""

import inspect
import json
import math
import pathlib
from typing import Any

import jax
import numpy as np
import pytest
import soundfile
import xarray

from experiments import build, era5, evaluation, librispeech, signals
from inrjax import data
from inrjax.codec import errors, grid_fit, loading
from tests.experiments import test_configs as images

LAUNCHERS = {"era5": era5, "librispeech": librispeech}
FILES = sorted(
  path
  for name in LAUNCHERS
  for path in (images.FOLDER / name).glob("*.py")
  if path.stem != "__init__"
)
TRAINED = ("era5/mscn_cpu", "librispeech/coinpp_cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
  """A netCDF file of fields, .npz files of some, and folders of sounds."""
  root = tmp_path_factory.mktemp("data")
  rng = np.random.default_rng(0)
  latitudes, longitudes = np.linspace(90, -90, 7), np.arange(8) * 45.0
  values = 250 + 30 * np.cos(np.deg2rad(latitudes))[:, None]
  values = values + rng.normal(0, 3, (9, 7, 8))
  xarray.Dataset(
    {"TREFHT": (("time", "lat", "lon"), values.astype("f4"), {"units": "K"})},
    {"lat": latitudes, "lon": longitudes},
  ).to_netcdf(root / "a.nc", engine="h5netcdf")
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
  return root


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
    config.data.source.held_out = 2
    if "stride" in config.data.source:
      config.data.source.stride = 1
    else:
      config.data.source.seconds = 0.05
      config.signal.sides = (50,)
    config.evaluate.update(
      num_signals=2,
      num_validation_signals=1,
      num_steps=(1,),
      ema_decays=(1.0,),
      qualities=(30.0,),
    )
    config.evaluate.encoder.num_steps = 1
    config.export.num_signals = 2
  return config.to_dict()


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
    spec = signals.make_spec(values, **values["evaluate"]["encoder"])
    assert spec.on_sphere == (path.parent.name == "era5")
    num_values = values["num_modulations"]
    assert variant.split("-")[0] == str(num_values)
    # Fails if a launcher does not take what the source section gives it.
    load = LAUNCHERS[path.parent.name].load
    inspect.signature(load).bind("train", None, **values["data"]["source"])
  with pytest.raises(ValueError, match="is not one of"):
    module.get_config("no such variant")
  for words in ("--config=experiments/configs/", "Hardware and time:"):
    assert words in module.__doc__


@pytest.mark.parametrize("path", FILES, ids=images.name_of)
def test_settings_are_those_of_the_configs_that_train(path) -> None:
  method = path.stem.removesuffix("_cpu")
  like = "era5/mscn_cpu" if method == "mscn" else "librispeech/coinpp_cpu"
  known = images.read(images.FOLDER / f"{like}.py").get_config().to_dict()
  ours = images.read(path).get_config().to_dict()
  apart = ("data.source.", "signal.", "gates.penalty.")
  # Fails if a config has a setting of its own, which nothing then reads.
  assert {s for s in images.leaves(ours) if not s.startswith(apart)} <= set(
    images.leaves(known)
  )


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
  data_dir = folder / {"era5": "a.nc", "librispeech": "speech"}[data_set]
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
  codec = loading.load(tmp_path / "model.inrmodel")
  # Fails if the model is not what can compress the data set's own signals.
  codec.compress_signals([load("test")[0]], effort="fast")
  # Fails if a setting is added that the launcher forgets.
  assert set(images.leaves(config)) <= seen


def test_fields_are_found_in_either_form(folder) -> None:
  options = {"variable": "TREFHT", "stride": 1, "held_out": 2}
  assert len(era5.load("train", folder / "a.nc", **options)) == 7
  test = era5.load("test", folder / "a.nc", **options)
  assert len(test) == 2 and test[0].unit == "K"
  globes = era5.load("validation", folder / "globes", **options)
  # Fails if files of one are read with the other's names.
  assert globes[0].values.shape == (7, 8, 1)
  wrong = options | {"variable": "t2m"}
  with pytest.raises(errors.UnsupportedSignalError, match="TREFHT"):
    era5.load("train", folder / "a.nc", **wrong)


def test_sounds_are_split(folder) -> None:
  options = {"seconds": 0.05, "rate": 16000, "held_out": 1}
  found = {
    split: librispeech.load(split, folder / "speech", **options)
    for split in ("train", "validation", "test")
  }
  assert [len(source) for source in found.values()] == [3, 1, 4]
  # Fails if validation shares a sound with training.
  train = [found["train"][i].values for i in range(3)]
  held_out = found["validation"][0].values
  assert not any(np.array_equal(held_out, values) for values in train)
  other = librispeech.load(
    "test", folder / "speech", **options | {"rate": 8000}
  )
  with (
    pytest.warns(data.UnreadableAudioWarning, match="samples a second"),
    pytest.raises(errors.UnsupportedSignalError),
  ):
    other[0]
