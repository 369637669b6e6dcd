"""How alike pictures look, and clips frame by frame: SSIM, and LPIPS if asked.

LPIPS needs the weights of a network, which the user supplies
(`evaluate.lpips_weights`); where there are none, no record has it, and one line
says so.
"""

import functools
import pathlib
import warnings
from collections.abc import Sequence

import numpy as np

from experiments import build, evaluation
from inrjax import evaluate
from inrjax.evaluate import frames, lpips, metrics
from inrjax.train import parallel


class DivergedClipWarning(UserWarning):
  """The fit of a clip has ended in values that are not finite."""


@build.of_config()
def perceptual(
  settings: build.Section, sides: tuple[int, int]
) -> lpips.LpipsWeights | None:
  """The weights of LPIPS (setting `lpips_weights`), None where there are none.

  Args:
    settings: the section `evaluate`.
    sides: height and width of the pictures.

  Raises:
    ValueError: for a file that holds none, or pictures too small for them.
  """
  path = settings.get("lpips_weights")
  if path is None:
    return None
  weights = _read(path)
  least = lpips.least_side(weights)
  if min(sides) < least:
    raise ValueError(
      f"evaluate.lpips_weights: LPIPS with these needs pictures of at least "
      f"{least} x {least}, and here they are {sides[0]} x {sides[1]}; leave it "
      "out."
    )
  return weights


def begin(
  settings: build.Section, sides: tuple[int, int]
) -> lpips.LpipsWeights | None:
  """`perceptual` at the start of an evaluation, before fits that take long.

  Where there are no weights, a line says that LPIPS is left out.

  Args:
    settings: the section `evaluate`.
    sides: height and width of the pictures.
  """
  weights = perceptual(settings, sides)
  if weights is None and parallel.is_primary():
    print(
      "LPIPS is left out: evaluate.lpips_weights names no file of weights. "
      f"{lpips.HOW_TO}."
    )
  return weights


def of_pictures(
  originals: Sequence[np.ndarray],
  decoded: Sequence[np.ndarray],
  weights: lpips.LpipsWeights | None,
) -> evaluation.Record:
  """Means over pictures.

  Args:
    originals: `[H, W, C]` uint8 each, of one size.
    decoded: of the same sizes.
    weights: of LPIPS, or None.

  Returns:
    "ssim" unless the pictures are smaller than its window, and "lpips" where
    there are weights.
  """
  record: evaluation.Record = {}
  pairs = list(zip(originals, decoded, strict=True))
  if min(originals[0].shape[:2]) >= metrics.SSIM_WINDOW:
    record["ssim"] = metrics.mean([evaluate.ssim(a, b) for a, b in pairs])
  if weights is not None:
    found = [float(lpips.lpips(weights, a, b)) for a, b in pairs]
    record["lpips"] = metrics.mean(found)
  return record


def of_clip(
  original: np.ndarray,
  decoded: np.ndarray,
  weights: lpips.LpipsWeights | None = None,
) -> evaluation.Record:
  """Means over the frames of a clip, after rounding to 8 bits (ECoP, 4.1).

  Args:
    original: `[T, H, W, C]`, uint8 or floats in [0, 1].
    decoded: of the same shape; where a value is not finite it counts as grey.
    weights: of LPIPS, or None.

  Returns:
    "frame_psnr" and what `of_pictures` gives.
  """
  if not np.isfinite(decoded).all():
    warnings.warn(
      "The fit of a clip has diverged, and counts as grey where it is not "
      "finite; lower inner.low and inner.high.",
      DivergedClipWarning,
      stacklevel=2,
    )
  first, second = evaluate.as_uint8(original), _rounded(decoded)
  found = {"frame_psnr": frames.frame_wise(metrics.psnr, first, second)}
  return found | of_pictures([*first], [*second], weights)


def draw_clip(
  path: pathlib.Path, original: np.ndarray, decoded: np.ndarray
) -> None:
  """Draws frames of a clip, of what a fit made of it, and of the error.

  Args:
    path: the file to write.
    original: `[T, H, W, C]` in [0, 1].
    decoded: of the same shape; where a value is not finite it is grey.
  """
  first, second = evaluate.as_uint8(original), _rounded(decoded)
  evaluate.clip_frames(path, first, second, name="fitted")


def _rounded(decoded: np.ndarray) -> np.ndarray:
  """In 8 bits, and grey where a value is not finite."""
  if decoded.dtype == np.uint8:
    return decoded
  there = np.isfinite(decoded)
  return evaluate.as_uint8(np.where(there, decoded, np.float32(0.5)))


@functools.cache
def _read(path: str) -> lpips.LpipsWeights:
  return lpips.read_lpips_weights(path)
