"""ImageNet with classes: class folders in `train` and `val`, or TFDS."""

import pathlib

from experiments import classify, tiny_imagenet_pruning
from inrjax import data


def load(
  split: str, data_dir: pathlib.Path | None, *, tfds: str, num_classes: int
) -> data.Labelled:
  """Examples of a split; the 50 000 of `val` serve for validation and testing.

  Args:
    split: "train", "validation" or "test".
    data_dir: a folder with a folder for each class in `train` and in `val`;
      None reads TFDS.
    tfds: the data set's name there.
    num_classes: of the data set.

  Raises:
    ImageError: for a folder with another number of classes.
  """
  if data_dir is not None:
    return tiny_imagenet_pruning.load(split, data_dir, num_classes=num_classes)
  part = "train" if split == "train" else "validation"
  return data.labelled_tfds(tfds, split=part, num_classes=num_classes)


if __name__ == "__main__":
  classify.main(load)
