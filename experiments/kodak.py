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
) -> data.ImageSource:
  """Images of a split; validation is on scikit-image's two."""
  if split == "test" and _KODAK_DIR.value:
    return data.ImageFolder(_KODAK_DIR.value)
  if split != "train":
    return data.photographs("test")
  source: data.ImageSource
  if data_dir is not None:
    source = data.ImageFolder(data_dir)
  elif tfds is not None:
    source = data.tfds_source(tfds, split="train", feature=feature)
  else:
    source = data.photographs("train")
  return source if resize_to is None else resize.Resized(source, resize_to)


if __name__ == "__main__":
  launch.main(load)
