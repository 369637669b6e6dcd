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
  afhq,
  build,
  celeba,
  celeba_hq,
  cifar10,
  coin,
  evaluation,
  imagenet100,
  imagenette,
  kodak,
  launch,
  sdf,
  text,
)
from experiments.configs import full_weights
from inrjax import codec
from inrjax.codec import sparse_inr

FOLDER = pathlib.Path(experiments.__file__).parent / "configs"
# Beside the folders there is `full_weights.py`, which others build on.
# Classifiers have configs of another form; `test_classify.py` has theirs.
CLASSIFIERS = ("_pruning", "_quantization")
# So do hyperpriors; theirs are in `test_hyperprior.py`, `test_clip_meta.py` and
# `test_xiph.py`. And so do signals that are no images, in `test_signals.py` and
# `test_srn_cars.py`.
OTHERS = (
  *CLASSIFIERS,
  "clic",
  "clip_meta",
  "xiph",
  "ucf101",
  "era5",
  "librispeech",
  "fastmri",
  "shapenet10",
  "srn_cars",
  "stills",
  "classical_signals",
)
FILES = sorted(
  p
  for p in FOLDER.glob("*/*.py")
  if p.stem != "__init__" and not p.parent.name.endswith(OTHERS)
)
LOADERS = {
  "afhq": afhq,
  "celeba": celeba,
  "celeba_hq": celeba_hq,
  "cifar10": cifar10,
  "imagenet100": imagenet100,
  "imagenette": imagenette,
  "kodak": kodak,
  "sdf": sdf,
  "text": text,
}
# Data sets have the same configs but for their source, so one config of each
# kind stands for those with its settings. First methods that adapt weights.
WEIGHTS = [
  p
  for p in FILES
  if p.parent.name in ("celeba", "imagenette", "sdf", "text")
  or p.stem.startswith(("ecop", "winning_ticket", "scratch", "pruned_at_start"))
]
TRAINED = {
  "ecop": FOLDER / "afhq/ecop.py",
  "learnit": FOLDER / "celeba/learnit.py",
  "reptile": FOLDER / "celeba/reptile_cpu.py",
  "scratch": FOLDER / "imagenette/scratch_cpu.py",
  "meta_sparse_inr": FOLDER / "sdf/meta_sparse_inr_cpu.py",
  "meta_sparse_inr_ffn": FOLDER / "celeba/meta_sparse_inr_ffn.py",
  "meta_sparse_inr_reptile": FOLDER / "celeba/meta_sparse_inr_reptile.py",
  "mscn": FOLDER / "text/mscn.py",
  "mscn_units": FOLDER / "imagenette/mscn_units_cpu.py",
  "winning_ticket": FOLDER / "kodak/winning_ticket_cpu.py",
}
STANDS_FOR = {
  "ecop_512": "ecop",
  "ecop_1024": "ecop",
  "fomaml": "learnit",
  "dense_narrow": "scratch",
  "scratch_ffn": "meta_sparse_inr_ffn",
  "winning_ticket_ffn": "meta_sparse_inr_ffn",
  "random_pruning": "meta_sparse_inr",
  "mscn_metasgd": "mscn",
  "mscn_fully_sparse": "mscn",
  "pruned_at_start": "winning_ticket",
}
# Then those that adapt modulations, and COIN.
MODULATED = [p for p in FILES if p not in WEIGHTS]
TRAINED_MODULATED = {
  "basis": FOLDER / "kodak/basis_cpu.py",
  "coin": FOLDER / "cifar10/coin_cpu.py",
  "coinpp": FOLDER / "celeba_hq/coinpp_cpu.py",
  "functa": FOLDER / "cifar10/functa.py",
  "modulated_ecop": FOLDER / "celeba_hq/modulated_ecop_cpu.py",
  "mscn": FOLDER / "kodak/mscn_cpu.py",
  "mscn_quickstart": FOLDER / "kodak/mscn_quickstart.py",
}
# The controller's in place of a constant weight.
_CONTROLLER = {
  f"gates.penalty.{name}"
  for name in ("damping", "gain", "initial", "limits", "target", "weight")
}
SIDE = 8
ADAPTER = inspect.signature(evaluation.Adapter)
FIT_CODEC = inspect.signature(codec.fit_codec)
FIT_SPARSE_CODEC = inspect.signature(sparse_inr.fit_sparse_codec)


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
  config.inner.num_steps = 1
  if build.adapts_weights(config):
    return shrunk_weights(config)
  config.num_modulations = 3
  config.signal.side = SIDE
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
  if "objective" in config:
    config.objective.num_steps = 1
  return config.to_dict()


def shrunk_weights(config: Any) -> dict[str, Any]:
  """The rest of `shrunk` for a method that adapts weights."""
  config.network.depth = 2
  config.data.source.side = SIDE
  config.data.pipeline.update(batch_size=4, read_threads=0)
  if config.train.num_steps:
    config.train.num_steps = 2
  config.train.update(log_every=1, checkpoint_every=1, evaluate_every=2)
  if "prune" in config:
    config.prune.update(num_dense_steps=1, num_round_steps=1, num_rounds=1)
    if config.evaluate.rounds is not None:
      config.evaluate.rounds = (1,)
  if "gates" in config:
    config.gates.penalty.target = 3
  config.evaluate.update(
    num_images=2, num_pictures=1, num_validation_signals=2, signals_per_call=2
  )
  config.evaluate.fit.num_steps = 4
  if "checkpoints" in config.evaluate:
    config.evaluate.checkpoints = (1,)
  if "objective" in config and config.objective.kind == "bootstrapped":
    config.objective.num_steps = 1
  if "pruned_fits" in config.evaluate and config.evaluate.pruned_fits.rounds:
    config.evaluate.pruned_fits.rounds = (2,)
  return config.to_dict()


class Images:
  """Random pictures that stand in for a data set."""

  def __init__(self, channels: int):
    self._channels = channels

  def __len__(self) -> int:
    return 6

  def __getitem__(self, index: int) -> np.ndarray:
    rng = np.random.default_rng(index)
    return rng.integers(0, 256, (SIDE, SIDE, self._channels), np.uint8)


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
    self._channels = settings["channels"]

  def fit(self, outer: Any, signals: np.ndarray) -> np.ndarray:
    start = self._method.initial_fast(outer)
    size = sum(leaf.size for leaf in start["~"].values())
    return np.zeros((len(signals), size), np.float32)

  def decode(self, outer: Any, fast: np.ndarray) -> np.ndarray:
    return np.zeros((len(fast), SIDE, SIDE, self._channels), np.uint8)


class FakeSparseCodec(FakeCodec):
  """Takes what `sparse_inr.fit_sparse_codec` takes and writes nothing."""

  def __init__(self, *args, **settings):
    FIT_SPARSE_CODEC.bind(*args, **settings)


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


@pytest.mark.parametrize(
  "path",
  sorted({*TRAINED.values(), *TRAINED_MODULATED.values()}),
  ids=name_of,
)
def test_every_config_trains_and_every_setting_is_read(
  path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  config = read(path).get_config()
  with config.unlocked():
    values = shrunk(config)
  seen: set[str] = set()
  recorded = Recorder(values, "", seen)
  check_source(path, recorded)
  monkeypatch.setattr(evaluation, "Adapter", FakeAdapter)
  monkeypatch.setattr(codec, "fit_codec", FakeCodec)
  monkeypatch.setattr(sparse_inr, "fit_sparse_codec", FakeSparseCodec)
  # COIN has no signals; its launchers' pictures are in colour.
  channels = values.get("signal", {"channels": 3})["channels"]
  run = launch.Run(recorded, tmp_path, lambda split: Images(channels))
  run.meta_learn()
  run.measure()
  if "export" in values:
    run.write_model()
  if values.get("train", {}).get("num_steps"):
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["step"] == 2 and math.isfinite(last["loss"])
    # Fails if validation is not called.
    assert "validation_psnr" in last
  result = json.loads((tmp_path / evaluation.RESULTS).read_text())
  assert result["num_images"] == 2 and result["quantised"]
  if path in WEIGHTS:
    steps = {level["step"] for level in result["levels"]}
    steps |= {row["step"] for row in result.get("progress", ())}
    # Fails if levels on the way, or those that prune, are not measured.
    assert steps == set(build.milestones(values))
    procedures = {level["procedure"] for level in result["levels"]}
    assert ("imp" in procedures) == (path.stem in ("learnit", "reptile_cpu"))
    assert ("ticket" in procedures) == path.stem.startswith("winning_ticket")
  # Fails if a setting is added that the launcher forgets.
  assert set(leaves(values)) <= seen


def check_source(path: pathlib.Path, config: Mapping) -> None:
  """Fails if a launcher does not take what a config's source gives it."""
  load = LOADERS[path.parent.name].load
  inspect.signature(load).bind("train", None, **config["data"]["source"])


@pytest.mark.parametrize("path", WEIGHTS, ids=name_of)
def test_configs_of_weights_are_like_the_one_that_is_trained(
  path: pathlib.Path,
) -> None:
  kind = path.stem.removesuffix("_cpu")
  trained = read(TRAINED[STANDS_FOR.get(kind, kind)]).get_config().to_dict()
  for variant in read(path).VARIANTS:
    values = read(path).get_config(variant).to_dict()
    check_source(path, values)
    # Fails if a data set's config has a setting of its own. TransINR is trained
    # in `test_transinr.py`.
    own = ("data.source.", "hypernetwork.")
    settings = {s for s in leaves(values) if not s.startswith(own)}
    constant = {"gates.penalty.weight"}  # In place of the controller's.
    assert settings - constant <= set(leaves(trained))
    # Fails if an option is not known, or no checkpoint ends a level.
    build.make_method(values)
    assert build.milestones(values)[-1] == values["train"]["num_steps"]
    source = values["data"]["source"]
    for name in ("side", "channels"):
      assert values["signal"][name] == source.get(name, values["signal"][name])
    assert values["network"]["out_dim"] == values["signal"]["channels"]


@pytest.mark.parametrize("path", MODULATED, ids=name_of)
def test_configs_of_modulations_are_like_the_one_that_is_trained(
  path: pathlib.Path,
) -> None:
  standing = TRAINED_MODULATED[path.stem.removesuffix("_cpu")]
  trained = set(leaves(read(standing).get_config().to_dict()))
  for variant in read(path).VARIANTS:
    values = read(path).get_config(variant).to_dict()
    check_source(path, values)
    # Fails if a data set's config has a setting of its own.
    settings = {s for s in leaves(values) if not s.startswith("data.source.")}
    assert settings - _CONTROLLER <= trained
    # Fails if an option is not known.
    if path.stem.startswith("coin") and "fit" in values:
      coin.make_spec(values)
    else:
      build.make_method(values)


def weights_config(name: str, variant: str) -> Any:
  return read(FOLDER / f"{name}.py").get_config(variant)


def test_widths_of_dense_networks_are_those_of_the_paper() -> None:
  # Fails if biases are counted, or a width has fewer weights than are left.
  for rounds, width in enumerate(full_weights.WIDTHS):
    assert full_weights.narrow_width(256, 3, rounds) == width
  assert full_weights.num_weights(256, 4, 3) == 197_888
  assert full_weights.num_weights(48, 4, 3) == 7152  # Section 5.2.


def test_the_papers_numbers_for_weights() -> None:
  sparse = weights_config("celeba/meta_sparse_inr", "all")
  assert sparse.network.w0 == 200 and sparse.inner.low == 1e-3
  assert sparse.train.num_steps == 150_000 + 20 * 30_000
  assert sparse.evaluate.fit.to_dict() == {
    "num_steps": 100,
    "learning_rate": 1e-3,
  }
  mscn = weights_config("sdf/mscn_metasgd", "15")
  assert mscn.network.w0 == 30 and mscn.inner.clip == (0.0, 1.0)
  assert (mscn.inner.low, mscn.inner.high) == (0.001, 0.05)
  # Section 5.2: 6,964 parameters, of 15 rounds.
  assert mscn.gates.penalty.target == 6963
  fixed = weights_config("celeba/mscn", "15")
  assert fixed.inner.clip is None and fixed.inner.low == fixed.inner.high
  assert weights_config("text/dense_narrow", "15").network.width == 48
  features = weights_config("celeba/meta_sparse_inr_ffn", "all")
  assert features.network.sigma == 20


@pytest.mark.parametrize("data_set", ["celeba", "sdf"])
def test_methods_on_two_cores_have_equal_budgets(data_set: str) -> None:
  channels = {"celeba": 3, "sdf": 1}[data_set]
  total = full_weights.num_weights(64, 4, channels)
  for rounds in full_weights.ROUNDS:
    left = round(total * 0.8 ** int(rounds))
    target = weights_config(f"{data_set}/mscn_cpu", rounds).gates.penalty.target
    narrow = weights_config(f"{data_set}/dense_narrow_cpu", rounds).network
    # Fails if the target is scaled by the weights of another network.
    assert abs(target - left) <= 1
    dense = full_weights.num_weights(narrow.width, 4, channels)
    assert left <= dense
    smaller = full_weights.num_weights(narrow.width - 2, 4, channels)
    assert smaller < left


def test_a_table_s_lambda_takes_the_controller_s_place() -> None:
  config = weights_config("imagenette/mscn_metasgd_cpu", "lambda_0.0007")
  assert dict(config.gates.penalty) == {"kind": "constant", "weight": 7e-4}
  method = build.make_method(config.to_dict())
  # Fails if a setting of the controller is left.
  assert build.make_problem(config.to_dict(), method).state.params.log_alpha
  # Fails if the Fourier features' sigma meets coordinates of twice the range.
  assert weights_config("kodak/scratch_ffn", "12").signal.low == 0


def test_levels_are_chosen_by_rounds() -> None:
  values = weights_config("sdf/meta_sparse_inr_cpu", "all").to_dict()
  steps = build.make_schedule(values).steps
  # Fails if round 0, the dense start, is counted as the first pruning.
  assert build.milestones(values)[:2] == (steps[0], steps[4])
  assert build.exported_step(values) is None
  values["export"]["rounds"] = 8
  assert build.exported_step(values) == steps[8]
  for section, rounds in (("evaluate", (0, 13)), ("export", 13)):
    wrong = values | {section: values[section] | {"rounds": rounds}}
    with pytest.raises(build.ConfigError, match=f"{section}.rounds"):
      build.milestones(wrong)
      build.exported_step(wrong)


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
