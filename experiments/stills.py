"""Still images, for what was trained on clips: each is a clip of one frame."""

import dataclasses
import pathlib

import numpy as np

from experiments import launch, signals
from inrjax import data
from inrjax.data import video


@dataclasses.dataclass(frozen=True)
class Stills:
  """Images as clips of one frame.

  Attributes:
    images: gives `[H, W, 3]` uint8 for an index.
    size: H and W, to which the middle of each is resized as a frame is.
  """

  images: data.ImageSource
  size: tuple[int, int]

  def __len__(self) -> int:
    return len(self.images)

  def __getitem__(self, index: int) -> np.ndarray:
    """The image at an index, `[1, *size, 3]` uint8."""
    return video.fit(self.images[index], self.size)[np.newaxis]


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  size: tuple[int, int],
  listing: str,
) -> signals.Clips:
  """Images of a split.

  Args:
    split: "train", "validation" or "test".
    data_dir: folder for `data.split_files`.
    size: see `Stills`.
    listing: see `data.split_files`.
  """
  if data_dir is None:
    raise SystemExit("--data_dir: name the folder of images.")
  paths = data.split_files(data_dir, split, listing=listing)
  return signals.Clips(
    Stills(data.ImageFiles(paths), (int(size[0]), int(size[1])))
  )


if __name__ == "__main__":
  launch.main(load, signals.Run)
