"""CIFAR-10 with classes: `train.npz`, `val.npz`, `test.npz`, or TFDS."""

import pathlib

from experiments import classify
from inrjax import data

_FILES = {"train": "train", "validation": "val", "test": "test"}


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  tfds: str,
  held_out: int,
  num_classes: int,
) -> data.Labelled:
  """Examples of a split.

  Args:
    split: "train", "validation" or "test".
    data_dir: folder of the archives (keys `x` and `y`); None reads TFDS.
    tfds: the data set's name there; CIFAR-100 has the same form.
    held_out: training images of TFDS, the last ones, kept for validation.
    num_classes: of the data set.
  """
  if data_dir is not None:
    path = data_dir / f"{_FILES[split]}.npz"
    return data.labelled_npz(path, num_classes=num_classes)
  parts = {
    "train": f"train[:-{held_out}]" if held_out else "train",
    "validation": f"train[-{held_out}:]",
    "test": "test",
  }
  return data.labelled_tfds(tfds, split=parts[split], num_classes=num_classes)


if __name__ == "__main__":
  classify.main(load)
