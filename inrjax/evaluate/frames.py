"""Metrics of clips, frame by frame (ECoP 4.1, after Chen et al., 2021)."""

from collections.abc import Callable

import numpy as np

from inrjax.evaluate import metrics


def frame_wise(
  metric: Callable[[np.ndarray, np.ndarray], float],
  original: np.ndarray,
  decoded: np.ndarray,
) -> float:
  """Mean over the frames of a clip of a metric of images.

  For PSNR that is not the PSNR of the clip, in which its worst frames count
  most: it is never below that, and infinite where one frame has no error.

  Args:
    metric: of an image `[H, W, C]` and what it is compared with.
    original: `[T, H, W, C]`.
    decoded: of the same shape.

  Raises:
    ValueError: for other shapes, or no frame.
  """
  if original.ndim != 4 or original.shape != decoded.shape:
    raise ValueError(
      f"Clips must have one shape [T, H, W, C], got {original.shape} and "
      f"{decoded.shape}."
    )
  pairs = zip(original, decoded, strict=True)
  return metrics.mean([float(metric(a, b)) for a, b in pairs])
