"""Intersection over union and Dice, against counting by hand."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies
from hypothesis.extra import numpy as arrays

from inrjax.evaluate import overlap

MASKS = arrays.arrays(np.int32, (2, 3, 4), elements=strategies.integers(0, 2))


@hypothesis.given(MASKS, MASKS)
@hypothesis.settings(max_examples=25)
def test_counts_by_hand(predicted: np.ndarray, labels: np.ndarray) -> None:
  # Fails if rows and columns of the table are confused, or 2 IoU / (1 + IoU).
  found = overlap.overlap(predicted, labels, num_classes=3)
  for k in range(3):
    pairs = list(zip(predicted.ravel() == k, labels.ravel() == k, strict=True))
    both = sum(a and b for a, b in pairs)
    either = sum(a or b for a, b in pairs)
    if not either:
      assert np.isnan(found.iou[k]) and np.isnan(found.dice[k])
      continue
    assert found.iou[k] == pytest.approx(both / either)
    iou = both / either
    assert found.dice[k] == pytest.approx(2 * iou / (1 + iou))


@pytest.mark.parametrize(
  ("predicted", "match"),
  [
    (np.zeros((2, 2), np.int32), "shapes"),
    (np.full((2, 3), 2, np.int32), "from 2 to 2, of which there are 2"),
    (np.zeros((2, 3), np.float32), "integers, got float32"),
  ],
)
def test_masks_that_cannot_be_compared(predicted, match) -> None:
  with pytest.raises(ValueError, match=match):
    overlap.overlap(predicted, np.zeros((2, 3), np.int32), num_classes=2)
