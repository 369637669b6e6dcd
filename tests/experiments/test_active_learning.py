"""Active learning asks for the right labels, and goes on where it stopped."""

import json
import math
import pathlib
from typing import Any

import jax
import numpy as np
import pytest

import experiments
from experiments import (
  accuracy_sweep,
  active_learning,
  classifier_phases,
  sweep,
)
from experiments.configs.cifar10_pruning import active_learning as published
from experiments.configs.fashion_mnist_pruning import active_learning_cpu
from inrjax import data

SWEEPS = pathlib.Path(experiments.__file__).parent / "sweeps"
NUM_CLASSES = 3


@pytest.fixture(autouse=True)
def one_device(monkeypatch: pytest.MonkeyPatch) -> None:
  """`pmap` over four fake devices is tested with the training step."""
  monkeypatch.setattr(jax, "device_count", lambda: 1)


def load(split: str) -> data.Labelled:
  rng = np.random.default_rng(len(split))
  labels = np.arange(24) % NUM_CLASSES
  levels = 60 * labels[:, None, None, None]
  images = rng.integers(0, 40, (24, 8, 8, 1)) + levels
  return data.Labelled(
    data.ArraySource(images.astype(np.uint8)), labels, NUM_CLASSES
  )


def config_of(variant: str) -> dict[str, Any]:
  config = active_learning_cpu.get_config(variant).copy_and_resolve_references()
  config.unlock()
  config.network.update(num_classes=NUM_CLASSES, convs=(1,), widths=(4,))
  config.prune.per_class = 2
  config.data.batches.batch_size = 4
  config.train.update(num_epochs=1.0, log_every=1)
  config.evaluate.update(num_images=12, batch_size=6)
  config.active.update(initial_per_class=2, num_acquired=4, num_rounds=3)
  return config.to_dict()


def learner(config: dict[str, Any], folder: pathlib.Path, may_train=True):
  return active_learning.Learner(
    classifier_phases.Phases(config, folder, load, may_train)
  )


def test_entropy() -> None:
  p = np.array([[0.5, 0.5, 1e-9], [0.9, 0.05, 0.05], [1 / 3] * 3])
  found = active_learning.entropy(np.log(p))
  expected = [-sum(x * math.log(x) for x in row) for row in p]
  # Fails if the sign is that of A.3, which is printed without its minus.
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert found.argmax() == 2


def test_rounds_and_going_on(tmp_path: pathlib.Path, monkeypatch) -> None:
  asked = []
  original = active_learning.entropy

  def entropy(logits):
    asked.append(original(logits))
    return asked[-1]

  monkeypatch.setitem(active_learning._ACQUISITIONS, "entropy", entropy)
  config = config_of("snip_50")
  config["active"]["num_rounds"] = 2
  record = learner(config, tmp_path).measure()
  assert record["flops_left"] <= 0.5 * record["flops"]
  rounds = [active_learning.Round(**r) for r in record["rounds"]]
  assert [r.num_labelled for r in rounds] == [6, 10]
  first = learner(config, tmp_path).first
  assert len(set(first) | set(rounds[0].acquired)) == 10
  pool = np.setdiff1d(np.arange(24), first)
  scores = dict(zip(pool, asked[0], strict=True))
  least = min(scores[i] for i in rounds[0].acquired)
  rest = set(pool.tolist()) - set(rounds[0].acquired)
  # Fails if the surest are taken, or indices are those within the pool.
  assert least >= max(scores[i] for i in rest)
  assert rounds[1].seconds > rounds[0].seconds > 0

  # The same command goes on; what was measured stays.
  with pytest.raises(SystemExit, match="round_2.* is not finished"):
    longer = config_of("snip_50")
    learner(longer, tmp_path, may_train=False).rounds()
  (tmp_path / "round_2").mkdir()
  (tmp_path / "round_2/stale").write_text("")
  more = learner(longer, tmp_path).rounds()
  assert more[:2] == rounds and more[2].num_labelled == 14
  assert not (tmp_path / "round_2/stale").exists()
  # Fails if training begins anew instead of from the weights there were.
  lines = (tmp_path / "round_2/train/log.jsonl").read_text().splitlines()
  assert len(lines) == 3
  assert not (tmp_path / "round_1").exists()
  results = {
    f"{method}/0/seed{s}": record for method in ("a", "b") for s in (0, 1)
  }
  accuracy_sweep.write(results, tmp_path / "drawn", title="tiny")
  for name in ("seconds", "num_labelled"):
    png = (tmp_path / f"drawn/accuracy_{name}.png").read_bytes()
    assert png.startswith(b"\x89PNG")


def test_the_time_and_the_pool_end_it(
  tmp_path: pathlib.Path, monkeypatch
) -> None:
  monkeypatch.setattr(
    active_learning.Learner, "_trained", lambda self, i, model, labelled: model
  )
  config = config_of("dense")
  config["active"]["seconds"] = 0.0
  assert len(learner(config, tmp_path / "time").rounds()) == 1
  config["active"].update(seconds=None, num_acquired=100, num_rounds=9)
  rounds = learner(config, tmp_path / "pool").rounds()
  assert [r.num_labelled for r in rounds] == [6, 24]
  config["active"]["initial_per_class"] = 9
  with pytest.raises(ValueError, match="is 9, and class 0 has 8"):
    _ = learner(config, tmp_path / "many").first


def test_the_theses_numbers() -> None:
  config = published.get_config("snip_compute_aware_80")
  active = config.active
  assert (active.initial_per_class, active.num_acquired) == (100, 50)
  assert config.prune.sparsity == 0.8 and config.prune.measure == "flops"
  assert config.prune.saliency.cost_smoothing == 0.05
  assert config.train.num_epochs == 160
  assert config.network.kind == "vgg19_3sp"
  half = published.get_config("snip_50").prune
  assert half.sparsity == 0.5 and half.saliency.cost_smoothing is None
  entries = sweep.read_sweep(SWEEPS / "cifar10_active_learning.py")
  assert len(entries) == 15
  json.dumps([e._asdict() for e in entries])
