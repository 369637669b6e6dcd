"""Imagenette: a folder of photographs, in folders by class or not, or TFDS."""

import pathlib

from experiments import launch, resize
from inrjax import data


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  tfds: str,
  resize_to: int,
  side: int,
  channels: int,
) -> data.ImageSource:
  """Images of a split; the held-out one serves for validation and testing.

  Args:
    split: "train", "validation" or "test".
    data_dir: folder for `data.split_files`; None reads TFDS.
    tfds: the data set's name there.
    resize_to: the shorter edge before the crop; 200 in the papers.
    side: of the square in the middle; 178 in the papers.
    channels: 1 for grey or 3 for RGB.
  """
  source: data.ImageSource
  if data_dir is None:
    part = "train" if split == "train" else "validation"
    source = data.Channels(data.tfds_source(tfds, split=part), channels)
  else:
    paths = data.split_files(data_dir, split)
    source = data.ImageFiles(paths, channels=channels)
  return data.CentreCrop(resize.Resized(source, (resize_to, resize_to)), side)


if __name__ == "__main__":
  launch.main(load)
