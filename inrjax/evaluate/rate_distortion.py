"""Rates, rate-distortion points and curves.

A rate is the length of the bytes written, split into what it pays for; an
estimate never stands in for it but has a column of its own. A `Measurement` is
one image at one setting, a `RatePoint` the average over images at that setting,
a `Curve` the points of one method.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from inrjax.evaluate import metrics

Setting = int | float | str


@dataclasses.dataclass(frozen=True)
class Rate:
  """What one image costs, in bytes; total = header + side + payload.

  Counts may be fractions where several images share one container's header.

  Attributes:
    num_pixels: height times width.
    total: length of what was written.
    header: magic, shapes, model id, checksums: independent of the content.
    side_information: what the decoder needs before the payload and depends on
      the image or the setting, such as tables.
    payload: the entropy-coded content.
    estimated_bits: entropy of the symbols under the model, for comparison with
      papers that report it; None where no estimate was made.
  """

  num_pixels: int
  total: float
  header: float
  side_information: float
  payload: float
  estimated_bits: float | None = None

  def __post_init__(self) -> None:
    if self.num_pixels < 1:
      raise ValueError(f"num_pixels is {self.num_pixels}; it must be positive")
    parts = (self.header, self.side_information, self.payload)
    if min(parts) < 0 or not math.isclose(
      math.fsum(parts), self.total, rel_tol=1e-9, abs_tol=1e-6
    ):
      raise ValueError(
        f"header, side information and payload are {parts} bytes and the total "
        f"{self.total}; the parts must be at least 0 and sum to the total"
      )

  @property
  def bpp(self) -> float:
    """Bits written per pixel."""
    return 8.0 * self.total / self.num_pixels

  @property
  def estimated_bpp(self) -> float | None:
    """Estimated bits per pixel, or None."""
    if self.estimated_bits is None:
      return None
    return self.estimated_bits / self.num_pixels

  def share(self, num_images: int) -> "Rate":
    """Rate of one image of a container that holds several of equal size.

    Args:
      num_images: how many images the bytes of this rate hold.

    Returns:
      Every count divided by `num_images`; bits per pixel are unchanged.

    Raises:
      ValueError: when the pixels cannot be shared out evenly.
    """
    if num_images < 1 or self.num_pixels % num_images:
      raise ValueError(
        f"{self.num_pixels} pixels cannot be shared by {num_images} images"
      )
    estimate = self.estimated_bits
    return Rate(
      num_pixels=self.num_pixels // num_images,
      total=self.total / num_images,
      header=self.header / num_images,
      side_information=self.side_information / num_images,
      payload=self.payload / num_images,
      estimated_bits=None if estimate is None else estimate / num_images,
    )


@dataclasses.dataclass(frozen=True)
class Measurement:
  """One image at one setting.

  Attributes:
    rate: what it costs.
    mse: mean squared error in squared 8-bit levels.
    psnr: in dB; infinite for a lossless reconstruction.
    ssim: in `[-1, 1]`; None for an image smaller than SSIM's window.
  """

  rate: Rate
  mse: float
  psnr: float
  ssim: float | None


@dataclasses.dataclass(frozen=True)
class RatePoint:
  """Averages over images at one setting; None where unknown.

  Attributes:
    bpp: mean over images of the bits written per pixel.
    psnr: mean of the images' PSNRs in dB.
    psnr_of_mean_mse: PSNR of the images' mean squared error in dB.
    ssim: mean over images.
    header_bpp: share of `bpp` spent on headers.
    side_information_bpp: share of `bpp` spent on side information.
    payload_bpp: share of `bpp` spent on the payload.
    estimated_bpp: entropy estimate, not part of `bpp`.
    num_images: how many images were averaged.
    setting: the quality, step size or target that gave this point.
    extra: further columns by name, such as encoding times.
  """

  bpp: float
  psnr: float
  psnr_of_mean_mse: float | None = None
  ssim: float | None = None
  header_bpp: float | None = None
  side_information_bpp: float | None = None
  payload_bpp: float | None = None
  estimated_bpp: float | None = None
  num_images: int | None = None
  setting: Setting | None = None
  extra: Mapping[str, float] = dataclasses.field(default_factory=dict)

  def __post_init__(self) -> None:
    if not (math.isfinite(self.bpp) and self.bpp > 0):
      raise ValueError(f"bpp is {self.bpp}; it must be positive and finite")
    if math.isnan(self.psnr):
      raise ValueError(f"psnr is NaN at {self.bpp} bpp; leave the point out")

  def value(self, metric: str) -> float | None:
    """The column of that name, or None where this point has no such number.

    Args:
      metric: a field such as "psnr" or "ssim", or a key of `extra`.

    Returns:
      The number.

    Raises:
      ValueError: for a column that holds no distortion or rate.
    """
    if metric in ("setting", "extra"):
      raise ValueError(f"{metric!r} is not a numeric column of a rate point")
    if metric in {field.name for field in dataclasses.fields(self)}:
      number = getattr(self, metric)
    else:
      number = self.extra.get(metric)
    return None if number is None else float(number)


@dataclasses.dataclass(frozen=True)
class Curve:
  """The points of one method, kept in order of rate.

  Attributes:
    name: short, for legends and tables.
    points: at least one, in any order; stored by increasing bpp, then psnr.
    description: how the numbers were made.
    meta: data, command, versions, budget: anything JSON can hold.
  """

  name: str
  points: tuple[RatePoint, ...]
  description: str = ""
  meta: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def __post_init__(self) -> None:
    if not self.points:
      raise ValueError(f"curve {self.name!r} has no points")
    ordered = sorted(self.points, key=lambda point: (point.bpp, point.psnr))
    object.__setattr__(self, "points", tuple(ordered))

  @property
  def bpp(self) -> npt.NDArray[np.float64]:
    """Rates of the points, `[num_points]`, not decreasing."""
    return np.array([point.bpp for point in self.points], np.float64)

  @property
  def psnr(self) -> npt.NDArray[np.float64]:
    """PSNRs of the points in dB, `[num_points]`."""
    return np.array([point.psnr for point in self.points], np.float64)


def curve_from_arrays(
  name: str,
  bpp: Sequence[float],
  psnr: Sequence[float],
  *,
  description: str = "",
) -> Curve:
  """A curve from two columns.

  Args:
    name: short name.
    bpp: rates in bits per pixel.
    psnr: as many PSNRs in dB.
    description: how the numbers were made.

  Returns:
    The curve.
  """
  pairs = zip(bpp, psnr, strict=True)
  points = tuple(RatePoint(bpp=float(b), psnr=float(p)) for b, p in pairs)
  return Curve(name, points, description)


def measure(
  original: npt.ArrayLike, reconstruction: npt.ArrayLike, rate: Rate
) -> Measurement:
  """Compares one reconstruction with its original.

  Args:
    original: `[H, W, C]`, uint8 or floats in `[0, 1]`.
    reconstruction: of the same shape.
    rate: what the reconstruction cost; its pixel count must be the image's.

  Returns:
    The measurement, after 8-bit rounding of both.

  Raises:
    ValueError: when shapes or pixel counts disagree.
  """
  height, width = np.shape(original)[:2]
  if height * width != rate.num_pixels:
    raise ValueError(
      f"image has {height * width} pixels, its rate counts {rate.num_pixels}"
    )
  error = metrics.mse(original, reconstruction)
  small = min(height, width) < metrics.SSIM_WINDOW
  return Measurement(
    rate=rate,
    mse=error,
    psnr=metrics.psnr_from_mse(error),
    ssim=None if small else metrics.ssim(original, reconstruction),
  )


def average(
  measurements: Sequence[Measurement], *, setting: Setting | None = None
) -> RatePoint:
  """The point of a curve that these images make at one setting.

  Every image weighs the same, whatever its size, as in published Kodak
  numbers.

  Args:
    measurements: one per image.
    setting: what they have in common.

  Returns:
    Means over the images; a column is None when any image lacks it.
  """
  rates = [m.rate for m in measurements]

  def per_pixel(part: str) -> float:
    return metrics.mean([8.0 * getattr(r, part) / r.num_pixels for r in rates])

  return RatePoint(
    bpp=metrics.mean([rate.bpp for rate in rates]),
    psnr=metrics.mean([m.psnr for m in measurements]),
    psnr_of_mean_mse=metrics.psnr_from_mse(
      metrics.mean([m.mse for m in measurements])
    ),
    ssim=_mean_or_none([m.ssim for m in measurements]),
    header_bpp=per_pixel("header"),
    side_information_bpp=per_pixel("side_information"),
    payload_bpp=per_pixel("payload"),
    estimated_bpp=_mean_or_none([rate.estimated_bpp for rate in rates]),
    num_images=len(measurements),
    setting=setting,
  )


def aggregate(
  name: str,
  measurements: Mapping[Setting, Sequence[Measurement]],
  *,
  description: str = "",
  meta: Mapping[str, Any] | None = None,
) -> Curve:
  """Averages images x settings into a curve.

  Args:
    name: of the curve.
    measurements: for each setting one measurement per image. The same number of
      images everywhere: means over different sets do not compare.
    description: how the numbers were made.
    meta: anything JSON can hold.

  Returns:
    A curve with one point per setting.

  Raises:
    ValueError: when settings have different numbers of images.
  """
  counts = {setting: len(rows) for setting, rows in measurements.items()}
  if len(set(counts.values())) > 1:
    raise ValueError(
      f"settings have different numbers of images: {counts}; average the same "
      "images at every setting"
    )
  points = tuple(
    average(rows, setting=setting) for setting, rows in measurements.items()
  )
  return Curve(name, points, description, dict(meta or {}))


def interpolate(curve: Curve, bpp: float, metric: str = "psnr") -> float | None:
  """The curve's value at a rate, linear in log-bpp between its points.

  Of several points at one rate the best counts; points without the metric, or
  at which it is infinite (lossless), are passed over.

  Args:
    curve: any curve.
    bpp: rate in bits per pixel.
    metric: "psnr", "psnr_of_mean_mse", "ssim", or a key of the points' `extra`.

  Returns:
    The value, or None outside the curve's range of rates: curves are never
    extrapolated.

  Raises:
    ValueError: for a rate that is not positive.
  """
  if not bpp > 0:
    raise ValueError(f"bpp is {bpp}; it must be positive")
  best: dict[float, float] = {}
  for point in curve.points:
    value = point.value(metric)
    if value is not None and math.isfinite(value):
      best[point.bpp] = max(value, best.get(point.bpp, -math.inf))
  if not best or not min(best) <= bpp <= max(best):
    return None
  rates = np.array(sorted(best))
  values = np.array([best[rate] for rate in rates])
  return float(np.interp(math.log(bpp), np.log(rates), values))


def _mean_or_none(values: Sequence[float | None]) -> float | None:
  known = [value for value in values if value is not None]
  return metrics.mean(known) if len(known) == len(values) else None
