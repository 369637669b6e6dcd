"""Classifiers are pruned, trained, resumed and quantised as configs say."""

import importlib.util
import inspect
import json
import math
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import app, flags
from absl.testing import flagsaver

import experiments
from experiments import (
  accuracy_sweep,
  active_learning,
  cifar10_pruning,
  cifar10_quantization,
  cifar100_pruning,
  classifier_grids,
  classifier_phases,
  classifier_pruning,
  classifiers,
  classify,
  evaluation,
  fashion_mnist_pruning,
  imagenet_pruning,
  imagenet_quantization,
  segmentation_pruning,
  tiny_imagenet_pruning,
)
from experiments.configs import classifiers as settings_lib
from inrjax import data
from inrjax.quantize import regularizers
from inrjax.sparsity import masks, structures

FOLDER = pathlib.Path(experiments.__file__).parent / "configs"
LAUNCHERS = {
  "cifar10_pruning": cifar10_pruning,
  "cifar10_quantization": cifar10_quantization,
  "cifar100_pruning": cifar100_pruning,
  "fashion_mnist_pruning": fashion_mnist_pruning,
  "imagenet_pruning": imagenet_pruning,
  "imagenet_quantization": imagenet_quantization,
  "segmentation_pruning": segmentation_pruning,
  "tiny_imagenet_pruning": tiny_imagenet_pruning,
}
FILES = sorted(
  path
  for name in LAUNCHERS
  for path in (FOLDER / name).glob("*.py")
  if path.stem != "__init__"
)
SIDE, NUM_CLASSES, STEPS = 8, 3, 4


@pytest.fixture(autouse=True)
def one_device(monkeypatch: pytest.MonkeyPatch) -> None:
  """`pmap` over four fake devices is tested with the training step."""
  monkeypatch.setattr(jax, "device_count", lambda: 1)


def examples(split: str = "train") -> data.Labelled:
  """Noise around one level of brightness for each class."""
  rng = np.random.default_rng(0 if split == "train" else 1)
  labels = np.arange(24) % NUM_CLASSES
  levels = 60 * labels[:, None, None, None]
  images = rng.integers(0, 40, (24, SIDE, SIDE, 1)) + levels
  return data.Labelled(
    data.ArraySource(images.astype(np.uint8)), labels, NUM_CLASSES
  )


def config_of(
  method: str,
  *,
  structure: str = "weights",
  quantize: bool = False,
  widths: tuple[int, ...] = (6,),
) -> dict[str, Any]:
  """A config of four steps of a small network."""
  config = settings_lib.base("fashion_mnist")
  config.network = {
    "kind": "vgg",
    "num_classes": NUM_CLASSES,
    "convs": (1,) * len(widths),
    "widths": widths,
  }
  if quantize:
    config.quantize = settings_lib.quantize_section(method, ranges="batch_norm")
    config.quantize.regularizer.num_epochs = 2 / 3
    if method == "ste":
      config.quantize.fine_tune.num_epochs = 2 / 3
    config.quantize.widths = ((8, 8), (4, 4))
  else:
    config.prune = settings_lib.prune_section(method, structure=structure)
    config.prune.update(sparsity=0.5, per_class=2)
  config.data.source.num_classes = NUM_CLASSES
  config.data.batches.batch_size = 8
  config.data.augment = ("flip",)
  config.optimizer.schedule.epochs = (1,)
  config.train.update(
    num_epochs=STEPS / 3, log_every=1, checkpoint_every=2, evaluate_every=4
  )
  config.evaluate.update(num_images=12, batch_size=6)
  return config.to_dict()


def make_run(config: Mapping[str, Any], folder: pathlib.Path) -> classify.Run:
  return classify.Run(classifier_phases.Phases(config, folder, examples))


class Recorder(Mapping):
  """A section that notes which of its settings are read."""

  def __init__(self, values: Mapping, path: str, seen: set[str]):
    self._values = {
      k: Recorder(v, f"{path}{k}.", seen) if isinstance(v, Mapping) else v
      for k, v in values.items()
    }
    self._path, self._seen = path, seen

  def __getitem__(self, key: str) -> Any:
    self._seen.add(self._path + key)
    return self._values[key]

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


def read(path: pathlib.Path) -> Any:
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.mark.parametrize(
  "path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_every_variant_builds_and_is_locked(path: pathlib.Path) -> None:
  module = read(path)
  for variant in module.VARIANTS:
    config = module.get_config(variant)
    assert config.is_locked
    values = json.loads(json.dumps(config.to_dict()))
    with pytest.raises(AttributeError):
      config.evaluate.no_such_setting = 1
    classifiers.make_network(values["network"])
    launcher = active_learning if "active" in values else None
    load = (launcher or LAUNCHERS[path.parent.name]).load
    inspect.signature(load).bind("train", None, **values["data"]["source"])
    section = values.get("prune")
    if section is not None:
      found = classifier_pruning.make_saliency(
        section["saliency"], lambda: {"any": 1.0}
      )
      steps = section["saliency"].get("num_steps", 0)
      assert found.num_batches in (0, 1, steps + 1)
    else:
      term = values["quantize"]["regularizer"]
      classifiers.make_term(term["kind"], term["weight"])
  with pytest.raises(ValueError, match="is not one of"):
    module.get_config("no such variant")
  for words in ("--config=experiments/configs/", "Hardware and time:"):
    assert words in module.__doc__


def test_the_theses_numbers() -> None:
  # Fails if a number of A.1, A.4.2 or a table is mistyped.
  prospr = read(FOLDER / "cifar10_pruning/resnet20.py").get_config("prospr")
  assert (
    prospr.train.num_epochs == 200 and prospr.data.batches.batch_size == 256
  )
  assert prospr.optimizer.schedule.epochs == (100, 150)
  assert prospr.optimizer.weight_decay == 5e-4
  assert prospr.prune.saliency.num_steps == 3
  vgg = read(FOLDER / "cifar10_pruning/vgg19.py").get_config("snip")
  assert vgg.train.num_epochs == 160 and vgg.optimizer.schedule.factor == 0.5
  published = [20.0, 36.0, 48.8, 59.0, 67.2, 73.8, 79.0, 83.2, 86.6, 89.3]
  published += [91.4, 93.1, 94.5, 95.6, 96.5, 97.2, 97.7, 98.2]
  np.testing.assert_allclose(
    100 * np.array(settings_lib.SPARSITIES), published, atol=0.06
  )


def test_pruned_at_the_start_stays_pruned_and_every_setting_is_read(
  tmp_path: pathlib.Path,
) -> None:
  seen: set[str] = set()
  values = config_of("prospr")
  run = make_run(Recorder(values, "", seen), tmp_path)
  done = run.finished
  factors = structures.named_leaves(done.model.masks)
  for name, mask in done.kept.items():
    np.testing.assert_array_equal(factors[name], mask)
  record = run.measure()
  assert record == json.loads((tmp_path / evaluation.RESULTS).read_text())
  assert record["sparsity"] == pytest.approx(0.5, abs=0.01)
  kept = sum(int(np.sum(mask)) for mask in done.kept.values())
  whole = record["parameters"] - sum(m.size for m in done.kept.values())
  # Fails if masked weights are counted.
  assert record["parameters_left"] == kept + whole
  assert record["flops_left"] < 0.7 * record["flops"]
  assert math.isfinite(record["loss"]) and record["num_images"] == 12
  lines = (tmp_path / "pruned/log.jsonl").read_text().splitlines()
  assert json.loads(lines[-1])["step"] == STEPS
  assert json.loads(lines[-1])["loss"] < json.loads(lines[0])["loss"]
  # Masked weights do not matter to the predictions.
  masked = classifiers.masked(done.model.params, done.model.masks)
  image = run.phases.image + 1.0
  out, _ = done.model.apply(masked, done.model.state, image, False)
  other = jax.tree.map(
    lambda p, m: jnp.where(m == 0, 9.0, p), done.model.params, done.model.masks
  )
  again = classifiers.masked(other, done.model.masks)
  same, _ = done.model.apply(again, done.model.state, image, False)
  np.testing.assert_array_equal(out, same)
  # The source's settings are the launcher's; the rest must be read.
  unread = {
    name
    for name in set(leaves(values)) - seen
    if not name.startswith("data.source.")
  }
  assert unread == {"prune.rewind_epoch"}


def test_channels_are_cut_off(tmp_path: pathlib.Path) -> None:
  config = config_of("snip", structure="channels", widths=(4, 6))
  config["prune"]["measure"] = "flops"
  config["prune"]["saliency"]["cost_smoothing"] = 0.05
  run = make_run(config, tmp_path)
  done = run.finished
  shapes = {
    n: x.shape for n, x in structures.named_leaves(done.model.params).items()
  }
  for name, mask in done.kept.items():
    assert shapes[f"{name}/w"][-1] == int(np.sum(mask))
  record = run.measure()
  # Fails if sparsity is that of the entries.
  assert record["flops_left"] <= 0.5 * record["flops"]
  sizes = [x.size for x in jax.tree.leaves(done.model.params)]
  assert record["parameters_left"] == sum(sizes) < record["parameters"]


def test_a_stopped_run_goes_on_to_the_same_weights(
  tmp_path: pathlib.Path,
) -> None:
  config = config_of("snip")
  whole = make_run(config, tmp_path / "whole").finished
  shorter = json.loads(json.dumps(config))
  shorter["train"]["num_epochs"] = 2 / 3
  shorter["optimizer"] = config["optimizer"]
  assert make_run(shorter, tmp_path / "twice").finished.kept
  phases = classifier_phases.Phases(config, tmp_path / "twice", examples, False)
  with pytest.raises(SystemExit, match="'pruned' is not finished"):
    classify.Run(phases).measure()
  again = make_run(config, tmp_path / "twice").finished
  # Fails if the masks are drawn anew, or batches begin again.
  for a, b in zip(
    jax.tree.leaves(whole.model), jax.tree.leaves(again.model), strict=True
  ):
    if hasattr(a, "shape"):
      np.testing.assert_array_equal(a, b)


def test_tickets_go_back_to_an_early_step(tmp_path: pathlib.Path) -> None:
  config = config_of("tickets")
  config["prune"].update(rewind_epoch=1 / 3, num_rounds=2, sparsity=0.75)
  starts = {}
  phases = classifier_phases.Phases(config, tmp_path, examples)
  original = classifier_phases.Phases.phase

  def phase(self, name, model, *, start=None, **settings):
    starts[name] = start
    return original(self, name, model, start=start, **settings)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(classifier_phases.Phases, "phase", phase)
    done = classify.Run(phases).finished
  assert list(starts) == ["early", "dense", "round_1", "round_2"]
  for name in ("round_1", "round_2"):
    assert int(starts[name].step) == 1
    # Fails if a round begins with the trained weights.
    for a, b in zip(
      jax.tree.leaves(starts[name].params),
      jax.tree.leaves(starts["dense"].params),
      strict=True,
    ):
      np.testing.assert_array_equal(a, b)
  first = np.load(tmp_path / "masks_1.npz")
  for name, mask in done.kept.items():
    # Fails if what was pruned may come back.
    assert not np.any(mask.astype(bool) & ~first[name])
  assert masks.sparsity_of(done.kept) == pytest.approx(0.75, abs=0.01)


def test_magnitude_after_training_keeps_the_largest(
  tmp_path: pathlib.Path,
) -> None:
  config = config_of("magnitude_after")
  run = make_run(config, tmp_path)
  done = run.finished
  dense = run.phases.phase(
    "dense", classifiers.Model(*_initial(run)), num_steps=STEPS
  )
  weights = structures.named_leaves(dense.params)
  kept = np.concatenate([np.ravel(m) for m in done.kept.values()]) > 0
  sizes = np.concatenate(
    [np.abs(np.ravel(weights[name])) for name in done.kept]
  )
  # Fails if the initial weights are ranked.
  assert sizes[kept].min() >= sizes[~kept].max()


def _initial(run: classify.Run) -> tuple[Any, ...]:
  phases = run.phases
  params, state = jax.jit(phases.network.init)(phases.key, phases.image)
  return phases.network.apply, params, state


@pytest.mark.parametrize("method", ["l1", "ste"])
def test_quantised_from_one_set_of_weights(
  method: str, tmp_path: pathlib.Path
) -> None:
  seen: set[str] = set()
  values = config_of(method, quantize=True)
  run = make_run(Recorder(values, "", seen), tmp_path)
  done = run.finished
  assert (done.grids is None) == (method == "l1")
  record = run.measure()
  assert [
    (g["weight_bits"], g["activation_bits"]) for g in record["grids"]
  ] == [
    (8, 8),
    (4, 4),
  ]
  wide, narrow = record["grids"]
  assert 0 <= wide["kl"] < narrow["kl"]
  for grid in record["grids"]:
    assert abs(grid["predicted"]) <= grid["bound"] * (1 + 1e-5)
    assert math.isfinite(grid["induced"])
  lines = (tmp_path / "trained/log.jsonl").read_text().splitlines()
  # Fails if the regulariser is there from the start, or never.
  assert ("norm_w" in json.loads(lines[-1])) == (method == "l1")
  assert len(lines) == (2 if method == "l1" else STEPS)
  if method == "l1":
    last = json.loads(lines[-1])
    # Fails if the term is left out of what is minimised.
    assert last["loss"] > 1e-3 * (last["norm_w"] + last["norm_y"])
  unread = {
    name
    for name in set(leaves(values)) - seen
    if not name.startswith("data.source.")
  }
  if method == "l1":
    unread = {n for n in unread if ".fine_tune." not in n}
  assert unread == set()


def test_batch_norm_ranges_are_those_of_the_activations() -> None:
  config = config_of("none", quantize=True, widths=(4, 6))
  network = classifiers.make_network(config["network"])
  params, state = jax.jit(network.init)(
    jax.random.key(0), jnp.zeros((1, 8, 8, 1))
  )
  params["block_1_norm_0"]["offset"] += 5.0
  model = classifiers.Model(network.apply, params, state)
  ranges = classifier_grids.activation_ranges(
    {"kind": "batch_norm", "num_images": 1},
    model,
    data.NORMALIZATIONS["fashion_mnist"],
    examples(),
  )
  # Fails if norms are taken in another order: six deviations of one.
  assert [(r.lowest, r.highest) for r in ranges.values()] == [(0, 6), (0, 11)]
  residual = classifiers.make_network(
    {"kind": "resnet", "num_classes": 3, "num_blocks": (1,), "widths": (2,)}
  )
  params, state = jax.jit(residual.init)(
    jax.random.key(0), jnp.zeros((1, 8, 8, 1))
  )
  with pytest.raises(ValueError, match="'calibration'"):
    classifier_grids.activation_ranges(
      {"kind": "batch_norm", "num_images": 1},
      classifiers.Model(residual.apply, params, state),
      data.NORMALIZATIONS["fashion_mnist"],
      examples(),
    )


def test_objective_of_weight_zero_is_the_plain_one() -> None:
  network = classifiers.make_network(config_of("dense")["network"])
  batch = examples().read(np.arange(6))
  params, state = jax.jit(network.init)(
    jax.random.key(0), jnp.zeros((1, 8, 8, 1))
  )
  carry = classifiers.Carry(state, ())

  def gradient(term: classifiers.Term) -> Any:
    objective = classifiers.make_objective(
      network.apply, data.NORMALIZATIONS["fashion_mnist"], term
    )
    fn = jax.value_and_grad(lambda p: objective(None, p, carry, batch)[0])
    return jax.jit(fn)(params)

  plain = gradient(classifiers.plain)
  zero = gradient(classifiers.gradient_term(regularizers.l1, 0.0))
  for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(zero), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
  ("change", "match"),
  [
    ({"sparsity": 0.0}, "strictly between 0 and 1, got 0.0"),
    ({"sparsity": 1.0}, "strictly between 0 and 1, got 1.0"),
    ({"when": "sometimes"}, "prune.when is 'sometimes'"),
    ({"structure": "channels", "num_rounds": 2}, "num_rounds must be 1"),
    ({"reset": "rescale"}, "it is for channels"),
    ({"per_class": 0}, "per_class"),
  ],
)
def test_impossible_pruning(
  change: dict[str, Any], match: str, tmp_path: pathlib.Path
) -> None:
  config = config_of("magnitude" if "reset" in change else "snip")
  config["prune"].update(change)
  with pytest.raises(ValueError, match=match):
    _ = make_run(config, tmp_path).finished


def test_other_bad_settings(tmp_path: pathlib.Path) -> None:
  config = config_of("snip")
  config["network"]["num_classes"] = 4
  with pytest.raises(ValueError, match="have 3 classes, the network 4"):
    _ = make_run(config, tmp_path).finished
  with pytest.raises(ValueError, match="network.kind"):
    classifiers.make_network({"kind": "mlp", "num_classes": 2})
  with pytest.raises(ValueError, match="1 channels, their mean 3"):
    data.NORMALIZATIONS["cifar10"](np.zeros((1, 2, 2, 1), np.uint8))


def test_tables_of_a_comparison(tmp_path: pathlib.Path) -> None:
  entries = accuracy_sweep.pruning_entries(
    "cifar10_pruning",
    "resnet20",
    methods=("dense", "snip"),
    sparsities=(0.9, 0.5),
    seeds=(0, 1),
  )
  assert len(entries) == 6
  results = {
    entry.name: {
      "accuracy": 0.8 + 0.1 * entry.overrides["seed"],
      "parameters": 100,
      "parameters_left": 100 * (1 - entry.overrides.get("prune.sparsity", 0)),
      "flops": 10.0,
      "flops_left": 5.0,
    }
    for entry in entries
  }
  table = accuracy_sweep.rows(results)
  # Fails if columns are in the order of the entries, or seeds are not averaged.
  assert table == [
    ["method", "0.0 %", "50.0 %", "90.0 %"],
    ["dense", "85.0 +- 5.0", "-", "-"],
    ["snip", "-", "85.0 +- 5.0", "85.0 +- 5.0"],
  ]
  accuracy_sweep.write(results, tmp_path, title="tiny")
  assert (tmp_path / "accuracy_flops.png").read_bytes().startswith(b"\x89PNG")
  grids = [
    {"weight_bits": 4, "activation_bits": 4, "accuracy": 0.5}
    | {"kl": 0.3, "predicted": 0.01, "induced": 0.02}
  ]
  size = {"parameters": 1, "parameters_left": 1, "flops": 1, "flops_left": 1}
  quantised = {
    entry.name: {"accuracy": 0.9, "grids": grids} | size
    for entry in accuracy_sweep.quantization_entries(
      "cifar10_quantization", "vgg_like", widths=((4, 4),), seeds=(0,)
    )
  }
  table = accuracy_sweep.rows(quantised)
  assert table[0] == ["method", "full", "(4, 4)"]
  assert ["ste @ (4,4)", "90.0 +- 0.0", "50.0 +- 0.0"] in table
  accuracy_sweep.write(quantised, tmp_path, title="tiny")
  assert (tmp_path / "quantization.png").read_bytes().startswith(b"\x89PNG")


def test_loaders_split_the_data_pack(data_dir: pathlib.Path) -> None:
  source = {"tfds": "", "held_out": 500, "num_classes": 10}
  sizes = {"train": 9500, "validation": 500, "test": 2000}
  for split, size in sizes.items():
    found = fashion_mnist_pruning.load(
      split, data_dir / "fashion_mnist", **source
    )
    assert len(found) == size
  sizes = {"train": 10_000, "validation": 500, "test": 500}
  for split, size in sizes.items():
    assert (
      len(cifar10_pruning.load(split, data_dir / "cifar10", **source)) == size
    )


def test_what_classifiers_cannot_do_is_refused() -> None:
  # Fails if a flag of the other launchers is taken and does nothing.
  flags.FLAGS.mark_as_parsed()
  for given, said in (
    ({"distributed": True}, "one host"),
    ({"mode": ["export"]}, "no model file"),
  ):
    with (
      flagsaver.flagsaver(**given),
      pytest.raises(app.UsageError, match=said),
    ):
      classify._main(["launcher"], lambda *args, **settings: None)
