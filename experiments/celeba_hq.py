"""CelebA-HQ: a folder of pictures brought to one size, or TFDS."""

import pathlib

from experiments import launch, resize
from inrjax import data


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  tfds: str,
  held_out: int,
  resize_to: tuple[int, int],
) -> data.ImageSource:
  """Images of a split; the last `held_out` of all are for testing.

  Args:
    split: "train", "validation" or "test"; the last two are the same here.
    data_dir: folder of pictures; None reads TFDS.
    tfds: the data set's name there.
    held_out: number of test images.
    resize_to: height and width.
  """
  source: data.ImageSource
  if data_dir is None:
    part = f"[:-{held_out}]" if split == "train" else f"[-{held_out}:]"
    source = data.tfds_source(tfds, split=f"train{part}")
  else:
    paths = data.find_images(data_dir)
    chosen = paths[:-held_out] if split == "train" else paths[-held_out:]
    source = data.ImageFiles(chosen)
  return resize.Resized(source, resize_to)


if __name__ == "__main__":
  launch.main(load)
