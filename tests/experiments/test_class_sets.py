"""Data sets of many classes: crops, streamed saliencies, what is reported."""

import json
import pathlib
import sys
import types
from typing import Any

import jax
import numpy as np
import optax
import pytest
from PIL import Image

import experiments
from experiments import (
  classifier_phases,
  classifier_pruning,
  classifiers,
  classify,
  imagenet_pruning,
  sweep,
  tiny_imagenet_pruning,
)
from experiments.configs import classifiers as settings_lib
from inrjax import data
from inrjax.sparsity import batches as batches_lib
from inrjax.sparsity import prospr

NUM_CLASSES = 6
SWEEPS = pathlib.Path(experiments.__file__).parent / "sweeps"


@pytest.fixture(autouse=True)
def one_device(monkeypatch: pytest.MonkeyPatch) -> None:
  """`pmap` over four fake devices is tested with the training step."""
  monkeypatch.setattr(jax, "device_count", lambda: 1)


class Photographs:
  """Images of different shapes, brighter from class to class."""

  def __len__(self) -> int:
    return 24

  def __getitem__(self, index: int) -> np.ndarray:
    rng = np.random.default_rng(index)
    shape = (10 + index % 3, 12, 3)
    image = rng.integers(0, 40, shape) + 40 * (index % NUM_CLASSES)
    return image.astype(np.uint8)


def load(split: str) -> data.Labelled:
  return data.Labelled(Photographs(), np.arange(24) % NUM_CLASSES, NUM_CLASSES)


def config_of(method: str, **settings: int) -> dict[str, Any]:
  config = settings_lib.imagenet()
  config.network = {
    "kind": "vgg",
    "num_classes": NUM_CLASSES,
    "convs": (1,),
    "widths": (4,),
  }
  config.prune = settings_lib.many_batches(method, **settings)
  config.prune.sparsity = 0.5
  config.data.batches.update(batch_size=8, read_threads=0)
  config.data.crop.update(resize_to=9, side=8)
  config.train.update(num_epochs=2 / 3, log_every=1, evaluate_every=9)
  config.evaluate.update(num_images=12, batch_size=6)
  return config.to_dict()


def phases_of(
  config: dict[str, Any], folder: pathlib.Path
) -> classifier_phases.Phases:
  return classifier_phases.Phases(config, folder, load)


def test_trained_on_windows_and_tested_on_the_middle(
  tmp_path: pathlib.Path,
) -> None:
  phases = phases_of(config_of("prospr", num_batches=3, batch_size=6), tmp_path)
  first = phases.first("test", 4)
  assert first.images[2].shape == phases.source.images[0].shape == (8, 8, 3)
  # Fails if tests are random, or training sees only the middle.
  np.testing.assert_array_equal(first.images[0], phases.source.images[0])
  batches = [next(phases.batches()) for _ in range(2)]
  np.testing.assert_array_equal(batches[0].images, batches[1].images)
  middle = {phases.source.images[i].tobytes() for i in range(24)}
  assert not middle & {x.tobytes() for x in batches[0].images}
  done = classify.Run(phases).measure()
  assert done["sparsity"] == pytest.approx(0.5, abs=0.01)
  # Five of six classes are at least five of six guesses of the best.
  assert done["accuracy"] <= done["top_5"] <= 1
  lines = (tmp_path / "inner_1/log.jsonl").read_text().splitlines()
  assert json.loads(lines[-1])["step"] == 3

  # The steps are those of the saliency on the same batches.
  stream = phases.batches(6)
  batches = [next(stream) for _ in range(4)]
  params, state = jax.jit(phases.network.init)(phases.key, phases.image)
  model = classifiers.Model(phases.network.apply, params, state)
  structure = classifier_pruning.make_structure("weights", model, phases.image)
  saliency = prospr.FirstOrderProsPr(optax.sgd(0.1, momentum=0.9), 3)
  loss_fn = classifiers.saliency_loss(model, phases.normalise, temperature=1.0)
  expected = jax.jit(lambda p, b: saliency(None, loss_fn, p, b, structure))(
    params, batches_lib.stack(*batches)
  )
  kept = np.load(tmp_path / "masks_1.npz")
  scores = {name: np.asarray(expected[name]) for name in kept.files}
  least = min(scores[name][kept[name]].min() for name in kept.files)
  most = max(scores[name][~kept[name]].max() for name in kept.files)
  # Fails if weight decay, other batches or another rate take part.
  assert least >= most * (1 - 1e-3)


def test_scores_are_averaged_over_batches_of_training(
  tmp_path: pathlib.Path,
) -> None:
  config = config_of("snip", num_batches=3, batch_size=6)
  phases = phases_of(config, tmp_path)
  params, state = jax.jit(phases.network.init)(phases.key, phases.image)
  model = classifiers.Model(phases.network.apply, params, state)
  structure = classifier_pruning.make_structure("weights", model, phases.image)
  found = classify.Run(phases)._scores(1, model, structure)
  config["prune"]["saliency"]["repeats"] = 1
  stream = phases.batches(6)
  single = [
    classifier_pruning.score_entries(
      config["prune"],
      model,
      structure,
      phases.image,
      normalise=phases.normalise,
      draw=lambda count: stream,
      seed=1,
    )
    for _ in range(3)
  ]
  for name, score in found.items():
    # Fails if one batch is taken three times, or the sum.
    np.testing.assert_allclose(
      score, sum(s[name] for s in single) / 3, rtol=1e-4, atol=1e-9
    )
  config["prune"]["saliency"]["repeats"] = 0
  with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
    classify.Run(phases)._scores(1, model, structure)


def test_first_order_steps_are_not_repeated(tmp_path: pathlib.Path) -> None:
  config = config_of("prospr", num_batches=3, batch_size=6)
  config["prune"]["saliency"]["repeats"] = 2
  with pytest.raises(ValueError, match="neither repeated"):
    _ = classify.Run(phases_of(config, tmp_path)).finished


def test_the_theses_numbers() -> None:
  # Fails if a number of A.4.2 or of tables 3.3 and 4.2 is mistyped.
  entries = {
    e.name: e for e in sweep.read_sweep(SWEEPS / "imagenet_pruning.py")
  }
  assert len(entries) == 2 * (1 + 5 * 2)
  assert "vgg19_prospr/0.95/seed0" in entries
  config = settings_lib.imagenet()
  assert config.train.num_epochs == 100 and config.data.crop.side == 224
  assert config.optimizer.schedule.epochs == (30, 60, 90)
  assert config.optimizer.weight_decay == 1e-4
  grids = sweep.read_sweep(SWEEPS / "imagenet_quantization_resnet18.py")
  assert sum("ste/" in e.name for e in grids) == 3
  assert any(e.config.endswith(":l1_strong") for e in grids)
  hundred = sweep.read_sweep(SWEEPS / "cifar100_vgg19_pruning.py")
  assert len(hundred) == 5 * (1 + 8 * 3)
  claims = sweep.read_sweep(SWEEPS / "fashion_mnist_claims_cpu.py")
  assert len(claims) == 3 * (1 + 7 * 2 + 2)
  one_step = [e for e in claims if e.name.startswith("prospr_m1/")]
  assert {e.overrides["prune.saliency.num_steps"] for e in one_step} == {1}
  tiny = sweep.read_sweep(SWEEPS / "tiny_imagenet_resnet18_pruning.py")
  assert len(tiny) == 3 * (1 + 7 * 18)


def test_folders_and_tfds(tmp_path: pathlib.Path, monkeypatch) -> None:
  for split in ("train", "val"):
    for value, name in enumerate("ab"):
      folder = tmp_path / split / name
      folder.mkdir(parents=True)
      Image.fromarray(np.full((4, 5, 3), value, np.uint8)).save(
        folder / f"{split}.png"
      )
  for module, more in (
    (tiny_imagenet_pruning, {}),
    (imagenet_pruning, {"tfds": "imagenet2012"}),
  ):
    for split in ("train", "validation", "test"):
      found = module.load(split, tmp_path, num_classes=2, **more)
      np.testing.assert_array_equal(found.labels, [0, 1])
    with pytest.raises(data.ImageError, match="2 classes, not 200"):
      module.load("train", tmp_path, num_classes=200, **more)
  with pytest.raises(data.ImageError, match="--data_dir"):
    tiny_imagenet_pruning.load("train", None, num_classes=2)

  asked = []

  def data_source(name: str, *, split: str, **options: Any) -> list[dict]:
    asked.append((name, split))
    return [{"image": np.zeros((2, 3, 3), np.uint8), "label": 7}]

  fake = types.SimpleNamespace(
    data_source=data_source,
    decode=types.SimpleNamespace(SkipDecoding=lambda: None),
  )
  monkeypatch.setitem(sys.modules, "tensorflow_datasets", fake)
  # Fails if the test set, whose labels are not published, is asked for.
  found = imagenet_pruning.load(
    "test", None, tfds="imagenet2012", num_classes=1000
  )
  assert found.labels == [7] and set(asked) == {("imagenet2012", "validation")}
