"""Errors of signals that are no 8-bit images, in the signals' own units.

PSNR here takes the range of the signal (or of the model) as its peak, as the
papers do that scale values to [0, 1] first. Nothing is rounded to 8 bits: a
field in kelvin or a volume of 16 bits is compared as it is.
"""

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from inrjax.evaluate import metrics, rate_distortion


@dataclasses.dataclass(frozen=True)
class SignalErrors:
  """How far a decoded signal is from its original.

  Attributes:
    unit: of the four errors, such as "K"; "" where there is none.
    root_mean_square: square root of the mean squared error.
    mean_absolute: mean of the absolute errors.
    max_absolute: the largest absolute error.
    bias: mean of decoded less original.
    psnr: in dB, with the range as peak; infinite for no error.
    num_values: how many values were compared.
  """

  unit: str
  root_mean_square: float
  mean_absolute: float
  max_absolute: float
  bias: float
  psnr: float
  num_values: int

  def __str__(self) -> str:
    unit = f" {self.unit}" if self.unit else ""
    return (
      f"RMSE {self.root_mean_square:.4g}{unit}, largest "
      f"{self.max_absolute:.4g}{unit}, PSNR {self.psnr:.2f} dB"
    )


def signal_errors(
  original: npt.ArrayLike,
  decoded: npt.ArrayLike,
  *,
  value_range: tuple[float, float],
  unit: str = "",
  present: npt.ArrayLike | None = None,
) -> SignalErrors:
  """Compares a decoded signal with its original.

  Args:
    original: any shape; integers or floats.
    decoded: of the same shape.
    value_range: lowest and highest value, whose difference is PSNR's peak: of
      the model (202.66 to 320.93 K for ERA5), of the type (-32768 to 32767 for
      16-bit sound) or of the signal.
    unit: of the values.
    present: true where there is a value, of the same shape or one that
      broadcasts to it; the rest is not compared. None compares all.

  Returns:
    The errors, computed in float64.

  Raises:
    ValueError: for different shapes, values that are not finite (where
      present), nothing to compare, or an empty range.
  """
  first, second = _pair(original, decoded)
  low, high = value_range
  if not (math.isfinite(low) and math.isfinite(high) and low < high):
    raise ValueError(f"value_range must be finite and rise, got {value_range}.")
  if present is not None:
    kept = np.broadcast_to(np.asarray(present, bool), first.shape)
    first, second = first[kept], second[kept]
  if not first.size:
    raise ValueError("There are no values to compare.")
  for name, values in (("original", first), ("decoded", second)):
    if not np.isfinite(values).all():
      raise ValueError(
        f"The {name} signal has values that are not finite; pass `present` "
        "where they are missing."
      )
  error = second - first
  square = float(np.mean(error**2))
  size = np.abs(error)
  return SignalErrors(
    unit=unit,
    root_mean_square=math.sqrt(square),
    mean_absolute=float(size.mean()),
    max_absolute=float(size.max()),
    bias=float(error.mean()),
    psnr=-10 * math.log10(square / (high - low) ** 2) if square else math.inf,
    num_values=int(first.size),
  )


def signal_to_noise(original: npt.ArrayLike, decoded: npt.ArrayLike) -> float:
  """Energy of a sound over the energy of its error, in dB.

  Args:
    original: any shape.
    decoded: of the same shape.

  Returns:
    The ratio; infinite for no error.

  Raises:
    ValueError: for different shapes, or a silent original.
  """
  first, second = _pair(original, decoded)
  energy = float(np.sum(first**2))
  noise = float(np.sum((second - first) ** 2))
  if not math.isfinite(energy + noise) or energy == 0:
    raise ValueError(
      "The ratio to noise needs a finite sound that is not silent; its energy "
      f"is {energy}, the error's {noise}."
    )
  return 10 * math.log10(energy / noise) if noise else math.inf


def voxel_accuracy(
  original: npt.ArrayLike, decoded: npt.ArrayLike, *, threshold: float = 0.5
) -> float:
  """Share of cells whose occupancy is right (MSCN, table 1).

  Args:
    original: occupancy of any shape; bool, or numbers of which those above 0.5
      are occupied.
    decoded: of the same shape; bool, or a network's outputs.
    threshold: outputs above it are occupied.

  Returns:
    A number in [0, 1]; the papers print it in percent.

  Raises:
    ValueError: for different shapes, no cells, or outputs that are not finite.
  """
  first, second = _occupancies(original, decoded, threshold)
  return float(np.mean(first == second))


def intersection_over_union(
  original: npt.ArrayLike, decoded: npt.ArrayLike, *, threshold: float = 0.5
) -> float:
  """Cells occupied in both over cells occupied in either.

  Unlike accuracy it does not grow with the empty space around a shape.

  Args:
    original: as `voxel_accuracy` takes it.
    decoded: of the same shape.
    threshold: outputs above it are occupied.

  Returns:
    A number in [0, 1]; 1 for two empty grids.

  Raises:
    ValueError: as `voxel_accuracy`.
  """
  first, second = _occupancies(original, decoded, threshold)
  union = np.count_nonzero(first | second)
  return np.count_nonzero(first & second) / union if union else 1.0


def measurement(
  errors: SignalErrors, rate: rate_distortion.Rate
) -> rate_distortion.Measurement:
  """One signal at one setting, for curves beside those of images.

  Args:
    errors: of the signal.
    rate: what it costs; a "pixel" is one value's place (COIN++, footnote 3).

  Returns:
    The measurement; its mean squared error is scaled as if the range were 8
    bits, so that PSNRs agree.
  """
  square = metrics.PEAK**2 * 10 ** (-errors.psnr / 10)
  return rate_distortion.Measurement(
    rate=rate, mse=square, psnr=errors.psnr, ssim=None
  )


def _pair(
  original: npt.ArrayLike, decoded: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
  first = np.asarray(original, np.float64)
  second = np.asarray(decoded, np.float64)
  if first.shape != second.shape:
    raise ValueError(
      f"The original has shape {first.shape}, the decoded signal "
      f"{second.shape}; they must be equal."
    )
  return first, second


def _occupancies(
  original: npt.ArrayLike, decoded: npt.ArrayLike, threshold: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
  first, second = _pair(original, decoded)
  if not first.size or not np.isfinite(first + second).all():
    raise ValueError(
      f"Occupancies must be finite and not empty, got shape {first.shape}."
    )
  return first > 0.5, second > threshold
