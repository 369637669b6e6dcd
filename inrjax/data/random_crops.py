"""Random windows of images of any size, brought to one size as they are read.

Augmentations (`inrjax.data.augment`) change images that already have one shape;
photographs do not, so their crops are taken one by one, before the batch.
"""

import dataclasses
import math

import numpy as np
from PIL import Image

# How often a window is drawn that does not fit before the middle is taken.
_ATTEMPTS = 10


@dataclasses.dataclass(frozen=True)
class RandomResizedCrop:
  """A window of random area and aspect ratio, resampled to a square.

  The augmentation of ImageNet's training images (A.4.2 of Alizadeh's thesis:
  "random resizing, then crop ... to 224x224"); the thesis gives no ranges, and
  these are those of Szegedy et al. (2015), which everybody takes. Where no
  window fits in ten attempts, the largest one in the middle is taken whose
  aspect ratio is allowed.

  Attributes:
    side: of the square, in pixels.
    area: least and largest part of the image's area, in (0, 1].
    aspect: least and largest width over height, positive.
  """

  side: int
  area: tuple[float, float] = (0.08, 1.0)
  aspect: tuple[float, float] = (3 / 4, 4 / 3)

  def __post_init__(self) -> None:
    if self.side < 1:
      raise ValueError(f"side must be at least 1, got {self.side}.")
    if not 0 < self.area[0] <= self.area[1] <= 1:
      raise ValueError(
        f"area must be an increasing pair in (0, 1], got {self.area}."
      )
    if not 0 < self.aspect[0] <= self.aspect[1]:
      raise ValueError(
        f"aspect must be an increasing pair of positive ratios, got"
        f" {self.aspect}."
      )

  def __call__(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A window of an image.

    Args:
      rng: source of randomness.
      image: `[h, w, C]` uint8, C = 1 or 3.

    Returns:
      `[side, side, C]` uint8.
    """
    top, left, height, width = self._window(rng, *image.shape[:2])
    return _resampled(image[top : top + height, left : left + width], self.side)

  def _window(
    self, rng: np.random.Generator, height: int, width: int
  ) -> tuple[int, int, int, int]:
    """Top, left, height and width."""
    low, high = np.log(self.aspect)
    for _ in range(_ATTEMPTS):
      area = rng.uniform(*self.area) * height * width
      ratio = math.exp(rng.uniform(low, high))
      h = round(math.sqrt(area / ratio))
      w = round(math.sqrt(area * ratio))
      if 0 < h <= height and 0 < w <= width:
        top = int(rng.integers(height - h + 1))
        left = int(rng.integers(width - w + 1))
        return top, left, h, w
    h = min(height, max(round(width / self.aspect[1]), 1))
    w = min(width, max(round(height * self.aspect[1]), 1))
    return (height - h) // 2, (width - w) // 2, h, w


def _resampled(image: np.ndarray, side: int) -> np.ndarray:
  # Pillow has no [H, W, 1].
  grey = image.shape[2] == 1
  picture = Image.fromarray(
    np.ascontiguousarray(image[..., 0] if grey else image)
  )
  found = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
  return found[..., np.newaxis] if grey else found
