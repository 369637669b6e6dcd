"""Photographs, in patches: `--data_dir`, or TFDS (DIV2K, CLIC), or bundled.

The test is on `--kodak_dir`, or on two photographs bundled with scikit-image.
"""

import pathlib

from absl import flags

from experiments import launch, resize
from inrjax import data

_KODAK_DIR = flags.DEFINE_string("kodak_dir", None, "Kodak's photographs.")


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  tfds: str | None,
  feature: str,
  resize_to: tuple[int, int] | None,
  side: int | None = None,
  channels: int = 3,
) -> data.ImageSource:
  """Images of a split; without TFDS validation is on scikit-image's two.

  Args:
    split: "train", "validation" or "test".
    data_dir: folder of training images; those two should not be among them.
    tfds: name of a set of training and validation images, read where there is
      no folder.
    feature: of it.
    resize_to: height and width of training images; None leaves them.
    side: of the square in the middle of all images, resampled where they are
      not as high; None leaves them.
    channels: 1 for grey or 3 for RGB.
  """
  source: data.ImageSource
  if split == "test" and _KODAK_DIR.value:
    source = data.ImageFolder(_KODAK_DIR.value)
  elif split == "train" and data_dir is not None:
    source = data.ImageFolder(data_dir)
  elif split != "test" and data_dir is None and tfds is not None:
    source = data.tfds_source(tfds, split=split, feature=feature)
  else:
    source = data.photographs("train" if split == "train" else "test")
  if split == "train" and resize_to is not None:
    source = resize.Resized(source, resize_to)
  if side is not None:
    source = resize.Resized(source, (side, side))
  return source if channels == 3 else data.Channels(source, channels)


if __name__ == "__main__":
  launch.main(load)
