"""A U-Net is pruned and measured by how its masks overlap the true ones."""

import json
import pathlib

import jax
import numpy as np
import pytest

import experiments
from experiments import (
  accuracy_sweep,
  classifier_phases,
  classify,
  segmentation_pruning,
  sweep,
)
from experiments.configs.segmentation_pruning import unet
from inrjax import data

SWEEPS = pathlib.Path(experiments.__file__).parent / "sweeps"


@pytest.fixture(autouse=True)
def one_device(monkeypatch: pytest.MonkeyPatch) -> None:
  """`pmap` over four fake devices is tested with the training step."""
  monkeypatch.setattr(jax, "device_count", lambda: 1)


def load(split: str) -> data.Labelled:
  """A bright half in the dark."""
  rng = np.random.default_rng(len(split))
  masks = np.zeros((8, 8, 8), np.uint8)
  for i, mask in enumerate(masks):
    mask[:, : 2 + i % 4] = 1
  images = (rng.integers(0, 60, masks.shape) + 150 * masks).astype(np.uint8)
  return data.Labelled(data.ArraySource(images), masks, 2)


def test_channels_of_a_unet_are_cut_off(tmp_path: pathlib.Path) -> None:
  config = unet.unlocked("channels_snip")
  config.network.widths = (3, 4)
  config.prune.sparsity = 0.4
  config.train.update(num_epochs=6.0, log_every=1, checkpoint_every=50)
  config.evaluate.num_images = 6
  run = classify.Run(classifier_phases.Phases(config.to_dict(), tmp_path, load))
  record = run.measure()
  assert record["parameters_left"] <= 0.6 * record["parameters"]
  sizes = [x.size for x in jax.tree.leaves(run.finished.model.params)]
  assert record["parameters_left"] == sum(sizes)
  # Fails if the mean is over examples, or the classes are summed.
  assert record["iou"] == pytest.approx(np.mean(record["iou_by_class"]))
  assert len(record["iou_by_class"]) == 2 and 0 <= record["iou"] <= 1
  assert record["iou"] <= record["dice"] <= record["accuracy"] + 0.5
  lines = (tmp_path / "pruned/log.jsonl").read_text().splitlines()
  first, last = json.loads(lines[0]), json.loads(lines[-1])
  assert last["step"] == 12 and last["loss"] < first["loss"]
  table = accuracy_sweep.rows({"channels_snip/0.4/seed0": record})
  # Fails if pixels that are right are tabulated.
  assert table[1] == ["channels_snip", f"{100 * record['iou']:.1f} +- 0.0"]
  sizes_table = accuracy_sweep.size_rows({"channels_snip/0.4/seed0": record})
  assert sizes_table[0][2] == "test mean IoU (%)"


def test_the_theses_numbers() -> None:
  config = unet.get_config("prospr")
  assert config.train.num_epochs == 50
  assert config.data.source.resize_to == 256
  assert config.data.source.held_out == 0.3
  assert config.prune.structure == "weights"
  for name in ("em_membrane_pruning_cpu", "cell_tracking_pruning"):
    for entry in sweep.read_sweep(SWEEPS / f"{name}.py"):
      assert entry.config.rpartition(":")[2] in unet.VARIANTS


def test_the_loader_knows_its_layouts(data_dir: pathlib.Path) -> None:
  folder = data_dir / "em_membrane"
  settings = {"held_out": 0.3, "resize_to": None, "tile": 128}
  for split, count in (("train", 80), ("validation", 32), ("test", 32)):
    found = segmentation_pruning.load(split, folder, layout="named", **settings)
    assert found.labels.shape == (count, 128, 128)
  with pytest.raises(data.ImageError, match="No pair"):
    segmentation_pruning.load(
      "train", folder, layout="cell_tracking", **settings
    )
  with pytest.raises(ValueError, match="data.source.layout is 'pairs'"):
    segmentation_pruning.load("train", folder, layout="pairs", **settings)
  with pytest.raises(data.ImageError, match="--data_dir"):
    segmentation_pruning.load("train", None, layout="named", **settings)
