"""AFHQ: a folder of animals' faces; the square in the middle of each."""

import pathlib

from experiments import launch, resize
from inrjax import data


def load(
  split: str, data_dir: pathlib.Path | None, *, side: int, channels: int
) -> data.ImageSource:
  """Images of a split; AFHQ's `test` serves for validation too.

  Args:
    split: "train", "validation" or "test".
    data_dir: folder for `data.split_files`.
    side: of the images; other than 512 they are resampled.
    channels: 1 for grey or 3 for RGB.

  Raises:
    ImageError: without a folder.
  """
  if data_dir is None:
    raise data.ImageError("AFHQ is read from a folder; give --data_dir=DIR.")
  paths = data.split_files(data_dir, split)
  source = data.ImageFiles(paths, channels=channels)
  return data.CentreCrop(resize.Resized(source, (side, side)), side)


if __name__ == "__main__":
  launch.main(load)
