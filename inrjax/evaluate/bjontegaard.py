"""Bjontegaard's deltas: the average gap between two rate-distortion curves.

Bjontegaard (2001), "Calculation of average PSNR differences between RD-curves"
(VCEG-M33), with a piecewise cubic in place of the single cubic polynomial, as
the JCT-VC's common test conditions do: a polynomial through many points swings
between them.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import interpolate

from inrjax.evaluate import rate_distortion

# Called with increasing abscissae and ordinates; the result has `integrate(a,
# b)`. Any of scipy's piecewise polynomials: PchipInterpolator (monotone, the
# default), Akima1DInterpolator, CubicSpline.
Interpolator = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], Any]


class NoOverlapError(ValueError):
  """Two curves share no range, or one is too short, for an average gap."""


def front(
  curve: rate_distortion.Curve, metric: str = "psnr"
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
  """Rates and values of the points that no other point beats.

  A point goes when another has at least its value at no more rate. What is left
  increases strictly in both columns, which inverting a curve needs. Points
  without a finite value (unknown, lossless) are passed over.

  Args:
    curve: any curve.
    metric: as in `rate_distortion.interpolate`.

  Returns:
    bpp `[K]` and values `[K]`.
  """
  rates: list[float] = []
  values: list[float] = []
  finite = [
    (point.bpp, value)
    for point in curve.points
    if (value := point.value(metric)) is not None and math.isfinite(value)
  ]
  for rate, value in sorted(finite, key=lambda pair: (pair[0], -pair[1])):
    if not values or value > values[-1]:
      rates.append(rate)
      values.append(value)
  return np.array(rates), np.array(values)


def bd_rate(
  anchor: rate_distortion.Curve,
  test: rate_distortion.Curve,
  *,
  metric: str = "psnr",
  interpolator: Interpolator = interpolate.PchipInterpolator,
) -> float:
  """Average difference in rate at equal quality, in percent.

  100 (10^d - 1), with d the mean gap of log10(bpp) as a function of the metric
  over the range of quality that both curves cover.

  Args:
    anchor: what is compared against.
    test: what is judged; negative results mean that it needs fewer bits.
    metric: as in `rate_distortion.interpolate`.
    interpolator: the piecewise polynomial.

  Returns:
    Percent.

  Raises:
    NoOverlapError: when a curve has fewer than two points or the two cover no
      common range of quality.
  """
  columns = [
    (values, np.log10(rates))
    for rates, values in (front(anchor, metric), front(test, metric))
  ]
  gap = _mean_gap(columns, (anchor, test), metric, interpolator)
  return 100.0 * (10.0**gap - 1.0)


def bd_psnr(
  anchor: rate_distortion.Curve,
  test: rate_distortion.Curve,
  *,
  metric: str = "psnr",
  interpolator: Interpolator = interpolate.PchipInterpolator,
) -> float:
  """Average difference in quality at equal rate, in the metric's unit (dB).

  The mean gap of the metric as a function of log10(bpp) over the rates that
  both curves cover.

  Args:
    anchor: what is compared against.
    test: what is judged; positive results mean that it is better.
    metric: as in `rate_distortion.interpolate`.
    interpolator: the piecewise polynomial.

  Returns:
    dB, for a PSNR.

  Raises:
    NoOverlapError: when a curve has fewer than two points or the two cover no
      common range of rates.
  """
  columns = [
    (np.log10(rates), values)
    for rates, values in (front(anchor, metric), front(test, metric))
  ]
  return _mean_gap(columns, (anchor, test), "log10(bpp)", interpolator)


def _mean_gap(
  columns: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]],
  curves: tuple[rate_distortion.Curve, rate_distortion.Curve],
  axis: str,
  interpolator: Interpolator,
) -> float:
  """Mean over the common abscissae of second curve minus first."""
  for (abscissae, _), curve in zip(columns, curves, strict=True):
    if len(abscissae) < 2:
      raise NoOverlapError(
        f"curve {curve.name!r} has {len(abscissae)} points on its front; "
        "Bjontegaard's deltas need at least two (better four)"
      )
  low = max(abscissae[0] for abscissae, _ in columns)
  high = min(abscissae[-1] for abscissae, _ in columns)
  if not low < high:
    ranges = ", ".join(
      f"{curve.name!r} [{abscissae[0]:.4g}, {abscissae[-1]:.4g}]"
      for (abscissae, _), curve in zip(columns, curves, strict=True)
    )
    raise NoOverlapError(
      f"no overlap in {axis}: {ranges}; measure both curves over a common range"
    )
  areas = [
    float(interpolator(abscissae, ordinates).integrate(low, high))
    for abscissae, ordinates in columns
  ]
  return (areas[1] - areas[0]) / float(high - low)
