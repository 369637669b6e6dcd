"""CelebA: a folder of faces, or TFDS; the square in the middle of each."""

import pathlib

from experiments import launch, resize
from inrjax import data


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  tfds: str,
  unit: str,
  side: int,
  channels: int,
) -> data.ImageSource:
  """Images of a split; 178 x 218 is cut to 178 x 178 as in the papers.

  Args:
    split: "train", "validation" or "test".
    data_dir: folder for `data.split_files`; None reads TFDS.
    tfds: the data set's name there.
    unit: see `data.split_files`.
    side: of the images; other than 178 the crop is resampled.
    channels: 1 for grey or 3 for RGB.
  """
  source: data.ImageSource
  if data_dir is None:
    source = data.Channels(data.tfds_source(tfds, split=split), channels)
  else:
    listing = "list_eval_partition.txt"
    paths = data.split_files(data_dir, split, unit=unit, listing=listing)
    source = data.ImageFiles(paths, channels=channels)
  return resize.Resized(source, (side, side))


if __name__ == "__main__":
  launch.main(load)
