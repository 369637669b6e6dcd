"""Fashion-MNIST with classes: `train.npz` and `test.npz`, or TFDS."""

import pathlib

from experiments import classify
from inrjax import data


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
    tfds: the data set's name there.
    held_out: training images, the last ones, kept for validation.
    num_classes: of the data set.
  """
  name = "test" if split == "test" else "train"
  if data_dir is None:
    source = data.labelled_tfds(tfds, split=name, num_classes=num_classes)
  else:
    path = data_dir / f"{name}.npz"
    source = data.labelled_npz(path, num_classes=num_classes)
  first_held_out = len(source) - held_out
  if split == "train":
    return source.subset(range(first_held_out))
  if split == "validation":
    return source.subset(range(first_held_out, len(source)))
  return source


if __name__ == "__main__":
  classify.main(load)
