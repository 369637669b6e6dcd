"""Tiny-ImageNet with classes, the folder as it is published."""

import pathlib

from experiments import classify
from inrjax import data


def load(
  split: str, data_dir: pathlib.Path | None, *, num_classes: int
) -> data.Labelled:
  """Examples of a split; its `val` serves for validation and testing.

  Args:
    split: "train", "validation" or "test".
    data_dir: the folder, with `train/CLASS/images` and `val` with its list.
    num_classes: that have to be there.

  Raises:
    ImageError: without a folder, or for another number of classes.
  """
  if data_dir is None:
    raise data.ImageError("Tiny-ImageNet is a folder; give --data_dir=DIR.")
  # The images in `test` have no published classes.
  part = "train" if split == "train" else "validation"
  source = data.labelled_folder(data_dir, part)
  if source.num_classes != num_classes:
    raise data.ImageError(
      f"{data_dir} has {source.num_classes} classes, not {num_classes}; set"
      " data.source.num_classes and network.num_classes."
    )
  return source


if __name__ == "__main__":
  classify.main(load)
