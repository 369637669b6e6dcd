"""Every config builds and trains, and has no setting that nothing reads."""

import importlib.util
import inspect
import json
import math
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import experiments
from experiments import (
  celeba_hq,
  cifar10,
  evaluation,
  kodak,
  launch,
)
from inrjax import codec

FOLDER = pathlib.Path(experiments.__file__).parent / "configs"
FILES = sorted(p for p in FOLDER.rglob("*.py") if p.stem != "__init__")
LOADERS = {"cifar10": cifar10, "celeba_hq": celeba_hq, "kodak": kodak}
SIDE = 8
ADAPTER = inspect.signature(evaluation.Adapter)
FIT_CODEC = inspect.signature(codec.fit_codec)


def name_of(path: pathlib.Path) -> str:
  return f"{path.parent.name}/{path.stem}"


def read(path: pathlib.Path) -> Any:
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


class Recorder(Mapping):
  """A section that notes which of its settings are read."""

  def __init__(self, values: Mapping, path: str, seen: set[str]):
    self._values = {
      k: Recorder(v, f"{path}{k}.", seen) if isinstance(v, Mapping) else v
      for k, v in values.items()
    }
    self._path, self._seen = path, seen

  def __getitem__(self, key: str) -> Any:
    value = self._values[key]
    self._seen.add(self._path + key)
    return value

  def __iter__(self) -> Iterator[str]:
    return iter(self._values)

  def __len__(self) -> int:
    return len(self._values)


def leaves(values: Mapping, path: str = "") -> Iterator[str]:
  for key, value in values.items():
    if isinstance(value, Mapping):
      yield from leaves(value, f"{path}{key}.")
    else:
      yield path + key


def shrunk(config: Any) -> dict[str, Any]:
  """The config at a size that compiles and runs in seconds."""
  config.network.update(depth=1, width=4)
  if "fit" in config:
    config.fit.num_steps = 2
    config.evaluate.update(num_images=2, num_bits=(8,))
    return config.to_dict()
  config.num_modulations = 3
  config.signal.side = SIDE
  config.inner.num_steps = 1
  if "start" in config:
    config.network.basis_dim = 4
    config.start.update(num_signals=8, num_steps=2)
  config.train.update(
    num_steps=2, log_every=1, checkpoint_every=2, evaluate_every=2
  )
  config.data.pipeline.update(batch_size=4, read_threads=0)
  config.data.pipeline.crops_per_image = 1
  if config.outer.task_tile:
    config.outer.task_tile = 2
  config.evaluate.update(
    num_images=2, num_validation_signals=2, signals_per_call=4
  )
  config.evaluate.quantise.update(
    num_training_signals=4, num_bits=(4,), num_deviations=(3.0,)
  )
  return config.to_dict()


class Images:
  """Random pictures that stand in for a data set."""

  def __init__(self, split: str):
    del split

  def __len__(self) -> int:
    return 6

  def __getitem__(self, index: int) -> np.ndarray:
    rng = np.random.default_rng(index)
    return rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)


class FakeCodec:
  """Takes what `codec.fit_codec` takes and writes nothing."""

  def __init__(self, *args, **settings):
    FIT_CODEC.bind(*args, **settings)

  def save(self, path: pathlib.Path) -> None:
    pass


class FakeAdapter:
  """Takes what `evaluation.Adapter` takes and compiles nothing."""

  def __init__(self, method, as_context, **settings):
    ADAPTER.bind(method, as_context, **settings)
    self._method = method

  def fit(self, outer: Any, signals: np.ndarray) -> np.ndarray:
    start = self._method.initial_fast(outer)
    size = sum(leaf.size for leaf in start["~"].values())
    return np.zeros((len(signals), size), np.float32)

  def decode(self, outer: Any, fast: np.ndarray) -> np.ndarray:
    return np.zeros((len(fast), SIDE, SIDE, 3), np.uint8)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_variant_builds_and_is_locked(path: pathlib.Path) -> None:
  module = read(path)
  for variant in module.VARIANTS:
    config = module.get_config(variant)
    assert config.is_locked
    json.dumps(config.to_dict())
    # Fails if a cpu variant leaves its base unlocked.
    with pytest.raises(AttributeError):
      config.evaluate.no_such_setting = 1
  # Fails if an unknown variant falls back to some default.
  with pytest.raises(ValueError, match="is not one of"):
    module.get_config("no such variant")
  for words in ("--config=experiments/configs/", "Hardware and time:"):
    assert words in module.__doc__


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_config_trains_and_every_setting_is_read(
  path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  config = read(path).get_config()
  with config.unlocked():
    values = shrunk(config)
  seen: set[str] = set()
  recorded = Recorder(values, "", seen)
  source = dict(recorded["data"]["source"])
  inspect.signature(LOADERS[path.parent.name].load).bind(
    "train", None, **source
  )
  monkeypatch.setattr(evaluation, "Adapter", FakeAdapter)
  monkeypatch.setattr(codec, "fit_codec", FakeCodec)
  run = launch.Run(recorded, tmp_path, Images)
  run.meta_learn()
  run.measure()
  if "outer" in values:
    run.write_model()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["step"] == 2 and math.isfinite(last["loss"])
    # Fails if validation is not called.
    assert "validation_psnr" in last
  result = json.loads((tmp_path / evaluation.RESULTS).read_text())
  assert result["num_images"] == 2 and result["quantised"]
  # Fails if a setting is added that the launcher forgets.
  assert set(leaves(values)) <= seen


def test_the_papers_numbers() -> None:
  # Fails if a table's row is mistyped in one of the places checked.
  mscn = read(FOLDER / "cifar10" / "mscn.py").get_config("768")
  assert mscn.gates.penalty.weight == 0.1
  assert (mscn.network.depth, mscn.network.width) == (15, 512)
  assert mscn.inner.clip == (0.0, 1.0)
  assert mscn.data.pipeline.batch_size == 1
  small = read(FOLDER / "cifar10" / "mscn.py").get_config("256")
  assert small.inner.clip is None and small.inner.low == 0.01
  coinpp = read(FOLDER / "kodak" / "coinpp.py").get_config("96")
  assert coinpp.evaluate.quantise.num_steps == 10
  assert coinpp.network.latent_dim == 96


def test_a_derived_value_follows_what_it_comes_from() -> None:
  # Fails if a reference is a copy.
  config = read(FOLDER / "cifar10" / "mscn_cpu.py").get_config("64")
  config.num_modulations = 40
  assert config.gates.penalty.target == 40
  assert config.evaluate.max_modulations == 40


@pytest.mark.parametrize(
  "path", [p for p in FILES if p.stem == "coin"], ids=name_of
)
def test_coin_has_the_published_size(path: pathlib.Path) -> None:
  num_pixels = {"cifar10": 32**2, "celeba_hq": 64**2, "kodak": 768 * 512}
  for variant, shape in read(path).VARIANTS.items():
    depth, width = shape["depth"], shape["width"]
    count = 3 * width + (depth - 1) * (width + 1) * width + 3 * (width + 1)
    # Fails if depth does not count sine layers as the papers' code does.
    bpp = 16 * count / num_pixels[path.parent.name]
    assert bpp == pytest.approx(float(variant), rel=0.08)
