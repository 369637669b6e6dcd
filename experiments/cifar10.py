"""CIFAR-10: `train.npz`, `val.npz` and `test.npz` (key `x`), or TFDS."""

import pathlib

from experiments import launch
from inrjax import data

_FILES = {"train": "train", "validation": "val", "test": "test"}


def load(
  split: str, data_dir: pathlib.Path | None, *, tfds: str, held_out: int
) -> data.ImageSource:
  """Images of a split.

  Args:
    split: "train", "validation" or "test".
    data_dir: folder of the archives; None reads TFDS.
    tfds: the data set's name there.
    held_out: training images of TFDS, the last ones, kept for validation.
  """
  if data_dir is not None:
    return data.from_npz(data_dir / f"{_FILES[split]}.npz", "x")
  parts = {
    "train": f"train[:-{held_out}]",
    "validation": f"train[-{held_out}:]",
    "test": "test",
  }
  return data.tfds_source(tfds, split=parts[split])


if __name__ == "__main__":
  launch.main(load)
