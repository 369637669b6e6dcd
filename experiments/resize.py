"""A source whose images are brought to one size."""

import numpy as np
from PIL import Image, ImageOps

from inrjax import data


class Resized:
  """Images cropped about their centre to the shape wanted, and resampled.

  Portraits are turned where the shape lies on its side, so that nothing of
  them is lost to the crop.
  """

  def __init__(self, source: data.ImageSource, size: tuple[int, int]):
    """Wraps a source.

    Args:
      source: images of any size.
      size: height and width, in pixels.

    Raises:
      ValueError: for a size that is not positive.
    """
    if min(size) < 1:
      raise ValueError(f"size must be positive, got {size}.")
    self._source = source
    self._size = size

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> np.ndarray:
    image = self._source[index]
    height, width = self._size
    if (image.shape[0] - image.shape[1]) * (height - width) < 0:
      image = np.rot90(image)
    if image.shape[:2] == self._size:
      return np.ascontiguousarray(image)
    # Pillow has no [H, W, 1].
    grey = image.shape[2] == 1
    picture = Image.fromarray(
      np.ascontiguousarray(image.squeeze(2) if grey else image)
    )
    fitted = np.asarray(
      ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    )
    return fitted[..., np.newaxis] if grey else fitted
