"""Sources whose images are brought to one size, or one kind of colour."""

import numpy as np
from PIL import Image

from inrjax.data import sources


class CentreCrop:
  """The square in the middle of every image of a source."""

  def __init__(self, source: sources.ImageSource, side: int):
    """Wraps a source.

    Args:
      source: images of any sizes, none smaller than the square.
      side: P, in pixels.

    Raises:
      ValueError: for a side below 1; later, for an image that is too small.
    """
    if side < 1:
      raise ValueError(f"side must be at least 1, got {side}.")
    self._source = source
    self._side = side

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> np.ndarray:
    image = self._source[index]
    height, width = image.shape[:2]
    if min(height, width) < self._side:
      raise ValueError(
        f"Image {index} is {height} x {width}, too small for a crop of "
        f"{self._side}; resize it first, or ask for a smaller side."
      )
    top, left = (height - self._side) // 2, (width - self._side) // 2
    return np.ascontiguousarray(
      image[top : top + self._side, left : left + self._side]
    )


class Channels:
  """Every image of a source as grey, or as colour.

  Image files can be read as either at once (`ImageFolder(channels=)`); this is
  for sources that give what they have. Grey becomes colour by repetition,
  colour becomes grey by the luma weights of ITU-R 601.
  """

  def __init__(self, source: sources.ImageSource, channels: int):
    """Wraps a source.

    Args:
      source: images `[H, W, 1]` or `[H, W, 3]` uint8, mixed or not.
      channels: 1 for grey or 3 for RGB.

    Raises:
      ValueError: for another number of channels.
    """
    if channels not in (1, 3):
      raise ValueError(f"channels must be 1 or 3, got {channels}.")
    self._source = source
    self._channels = channels

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> np.ndarray:
    image = self._source[index]
    if image.shape[2] == self._channels:
      return image
    if self._channels == 3:
      return np.repeat(image, 3, axis=2)
    grey = Image.fromarray(np.ascontiguousarray(image)).convert("L")
    return np.array(grey)[..., np.newaxis]
