"""Distortion, always after rounding to 8 bits, always in float64.

Two averages over images are in use and differ by tenths of a decibel: the mean
of the images' PSNRs (`mean_psnr`; COIN, COIN++, MSCN and CompressAI report it)
and the PSNR of the mean squared error (`psnr_of_mean_mse`). Both are here, each
under its own name.

Identical images have zero error and a PSNR of `math.inf`. `mean_psnr` is then
infinite too, `psnr_of_mean_mse` only if all images are identical.
"""

import math
from collections.abc import Iterable, Sequence

import dm_pix
import numpy as np
import numpy.typing as npt
from scipy import ndimage

PEAK = 255.0
SSIM_WINDOW = 11  # pixels; the smallest side SSIM is defined for
SSIM_DEVIATION = 1.5  # pixels


def as_uint8(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
  """The image as a file or a screen would hold it: 8 bits a sample.

  Args:
    image: uint8 in `[0, 255]`, or floating point nominally in `[0, 1]`; floats
      outside are clipped, as a decoder clips them, then rounded.

  Returns:
    A uint8 array of the same shape.

  Raises:
    ValueError: for another dtype, NaN or infinite values.
  """
  array = np.asarray(image)
  if array.dtype == np.uint8:
    return array
  if not np.issubdtype(array.dtype, np.floating):
    raise ValueError(
      f"image has dtype {array.dtype}; give uint8 in [0, 255] or floats in "
      "[0, 1]"
    )
  if not np.all(np.isfinite(array)):
    raise ValueError("image holds NaN or infinite values; it has no distortion")
  levels = np.clip(array.astype(np.float64), 0.0, 1.0) * PEAK
  return np.rint(levels).astype(np.uint8)


def mse(original: npt.ArrayLike, reconstruction: npt.ArrayLike) -> float:
  """Mean squared error in squared 8-bit levels, over all samples.

  Args:
    original: `[H, W, C]` (any shape will do), as `as_uint8` takes it.
    reconstruction: of the same shape.

  Returns:
    A number in `[0, 255^2]`.

  Raises:
    ValueError: when the shapes differ or there are no samples.
  """
  a, b = _pair(original, reconstruction)
  difference = a.astype(np.float64) - b.astype(np.float64)
  return float(np.mean(difference**2))


def psnr_from_mse(error: float) -> float:
  """10 log10(255^2 / error) in dB; infinite for zero error.

  Args:
    error: mean squared error in squared 8-bit levels.

  Returns:
    PSNR in dB.

  Raises:
    ValueError: for a negative or NaN error.
  """
  if not error >= 0:
    raise ValueError(f"mean squared error is {error}; it must be at least 0")
  if error == 0:
    return math.inf
  return 10.0 * math.log10(PEAK**2 / error)


def psnr(original: npt.ArrayLike, reconstruction: npt.ArrayLike) -> float:
  """Peak signal-to-noise ratio of one image in dB, after 8-bit rounding.

  Args:
    original: `[H, W, C]`, as `as_uint8` takes it.
    reconstruction: of the same shape.

  Returns:
    PSNR over all channels together (RGB PSNR for colour); `math.inf` when the
    two are identical.
  """
  return psnr_from_mse(mse(original, reconstruction))


def mean_psnr(
  originals: Iterable[npt.ArrayLike], reconstructions: Iterable[npt.ArrayLike]
) -> float:
  """Mean over images of each image's PSNR, in dB.

  Args:
    originals: images, as `as_uint8` takes them.
    reconstructions: as many, in the same order.

  Returns:
    The mean; infinite if any pair is identical.
  """
  pairs = zip(originals, reconstructions, strict=True)
  return mean([psnr(a, b) for a, b in pairs])


def psnr_of_mean_mse(
  originals: Iterable[npt.ArrayLike], reconstructions: Iterable[npt.ArrayLike]
) -> float:
  """PSNR of the mean over images of each image's squared error, in dB.

  Never above `mean_psnr`, by Jensen's inequality.

  Args:
    originals: images, as `as_uint8` takes them.
    reconstructions: as many, in the same order.

  Returns:
    The PSNR; infinite only if every pair is identical.
  """
  pairs = zip(originals, reconstructions, strict=True)
  return psnr_from_mse(mean([mse(a, b) for a, b in pairs]))


def ssim(original: npt.ArrayLike, reconstruction: npt.ArrayLike) -> float:
  """Structural similarity (Wang et al. 2004), after 8-bit rounding.

  Gaussian window of 11 pixels and deviation 1.5, K1 = 0.01, K2 = 0.03, mean
  over channels and over windows that lie wholly inside.

  Args:
    original: `[H, W, C]` with H and W at least 11.
    reconstruction: of the same shape.

  Returns:
    A number in `[-1, 1]`; 1 for identical images.

  Raises:
    ValueError: for an image smaller than the window.
  """
  a, b = _pair(original, reconstruction)
  if a.ndim != 3 or min(a.shape[:2]) < SSIM_WINDOW:
    raise ValueError(
      f"image has shape {a.shape}; SSIM needs [H, W, C] with H and W at least "
      f"{SSIM_WINDOW}"
    )
  scale = np.float32(1 / PEAK)
  return float(
    dm_pix.ssim(
      a.astype(np.float32) * scale,
      b.astype(np.float32) * scale,
      filter_fn=_gaussian_filter,
    )
  )


def mean(values: Sequence[float]) -> float:
  """Arithmetic mean that refuses an empty list instead of returning NaN.

  Args:
    values: at least one number; an infinite one makes the mean infinite.

  Returns:
    The mean.

  Raises:
    ValueError: when there are none.
  """
  if not values:
    raise ValueError("no values to average; give at least one image")
  return math.fsum(values) / len(values)


def _gaussian_filter(
  image: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
  """SSIM's window where it lies inside, `[H, W, C]` to `[H-10, W-10, C]`.

  dm-pix's own filter is compiled anew for each size of image and convolves five
  times slower on a CPU.
  """
  half = SSIM_WINDOW // 2
  offsets = np.arange(-half, half + 1)
  window = np.exp(-0.5 * (offsets / SSIM_DEVIATION) ** 2)
  window /= window.sum()
  for axis in (0, 1):
    image = ndimage.correlate1d(image, window, axis=axis)
  return image[half:-half, half:-half]


def _pair(
  original: npt.ArrayLike, reconstruction: npt.ArrayLike
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
  a, b = as_uint8(original), as_uint8(reconstruction)
  if a.shape != b.shape:
    raise ValueError(
      f"original has shape {a.shape}, reconstruction {b.shape}; they must be "
      "equal"
    )
  if a.size == 0:
    raise ValueError(f"image has shape {a.shape}: no samples to compare")
  return a, b
