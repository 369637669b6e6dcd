"""Metrics of clips, frame by frame."""

import numpy as np
import pytest

from inrjax.evaluate import frames, metrics


def test_metrics_are_means_over_frames() -> None:
  original = np.zeros((3, 4, 5, 3), np.uint8)
  decoded = original + np.array([1, 10, 100], np.uint8).reshape(3, 1, 1, 1)
  found = frames.frame_wise(metrics.psnr, original, decoded)
  # Fails if the clip is compared as one: 12.9 dB.
  assert found == pytest.approx(20 * np.log10(255) - 20)
  with pytest.raises(ValueError, match="one shape"):
    frames.frame_wise(metrics.psnr, original, decoded[:2])
  with pytest.raises(ValueError, match="one shape"):
    frames.frame_wise(metrics.psnr, original[0], decoded[0])
  with pytest.raises(ValueError, match="no values"):
    frames.frame_wise(metrics.psnr, original[:0], decoded[:0])
