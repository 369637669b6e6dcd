"""How far a segmentation covers the true one: intersection over union, Dice.

The IoU of a class is what both masks have in common over what either has, and
its Dice coefficient 2 IoU / (1 + IoU); both are counted over all pixels of all
images together, so that an image without a class takes nothing from it.
"""

from typing import NamedTuple

import numpy as np


class Overlap(NamedTuple):
  """Agreement of masks, class by class.

  Attributes:
    iou: `[K]` in [0, 1]; NaN for a class that neither mask has anywhere.
    dice: `[K]`, likewise.
  """

  iou: np.ndarray
  dice: np.ndarray


def overlap(
  predicted: np.ndarray, labels: np.ndarray, *, num_classes: int
) -> Overlap:
  """Compares masks.

  Args:
    predicted: integers in `[0, K)`, of any shape.
    labels: the true ones, of the same shape.
    num_classes: K.

  Raises:
    ValueError: for shapes that differ, masks of no integers, or a class
      outside `[0, K)`.
  """
  for name, mask in (("predicted", predicted), ("labels", labels)):
    if not np.issubdtype(mask.dtype, np.integer):
      raise ValueError(f"{name} must be integers, got {mask.dtype}.")
    if mask.size and not 0 <= mask.min() <= mask.max() < num_classes:
      raise ValueError(
        f"{name} has classes from {mask.min()} to {mask.max()}, of which there"
        f" are {num_classes}, from 0."
      )
  if predicted.shape != labels.shape:
    raise ValueError(
      f"The masks have the shapes {predicted.shape} and {labels.shape}; compare"
      " them at one size."
    )
  pairs = num_classes * labels.astype(np.int64) + predicted
  counts = np.bincount(pairs.ravel(), minlength=num_classes**2)
  table = counts.reshape(num_classes, num_classes)
  common = np.diag(table).astype(float)
  sizes = table.sum(0) + table.sum(1)
  absent = sizes == 0
  iou = common / np.where(absent, 1, sizes - common)
  dice = 2 * common / np.where(absent, 1, sizes)
  return Overlap(np.where(absent, np.nan, iou), np.where(absent, np.nan, dice))
