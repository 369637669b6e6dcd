"""BD-rate and BD-PSNR: curves whose gap is known, and a quadrature oracle."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from scipy import interpolate

from inrjax.evaluate import bjontegaard, interchange
from inrjax.evaluate import rate_distortion as rd

RATES = np.array([0.1, 0.2, 0.35, 0.6, 1.0])
PSNRS = np.array([27.0, 29.5, 31.4, 33.5, 36.0])


def _curve(rates, psnrs, name="c"):
  return rd.curve_from_arrays(name, list(rates), list(psnrs))


@hypothesis.given(st.floats(0.3, 3.0))
def test_scaling_the_rate_is_that_bd_rate(factor):
  result = bjontegaard.bd_rate(
    _curve(RATES, PSNRS), _curve(RATES * factor, PSNRS)
  )
  # fails if anchor and test are exchanged, or the logarithm's base is wrong
  assert result == pytest.approx(100 * (factor - 1), abs=1e-8)


@hypothesis.given(st.floats(-3.0, 3.0))
def test_shifting_the_quality_is_that_bd_psnr(shift):
  result = bjontegaard.bd_psnr(
    _curve(RATES, PSNRS), _curve(RATES, PSNRS + shift)
  )
  assert result == pytest.approx(shift, abs=1e-9)


def test_bd_rate_averages_over_the_common_range_of_quality_only():
  test = _curve(RATES[1:] * 0.8, PSNRS[1:] + np.array([0.0, 0.3, 0.1, 0.7]))
  anchor = _curve(RATES, PSNRS)
  low, high = PSNRS[1], PSNRS[-1]
  grid = np.linspace(low, high, 200_001)
  logs = [
    interpolate.PchipInterpolator(c.psnr, np.log10(c.bpp))(grid)
    for c in (anchor, test)
  ]
  gap = np.trapezoid(logs[1] - logs[0], grid) / (high - low)
  # fails if the area is divided by another range, or rates are not logarithmic
  assert bjontegaard.bd_rate(anchor, test) == pytest.approx(
    100 * (10**gap - 1), abs=1e-6
  )


def test_the_interpolator_is_a_choice_that_matters():
  anchor, test = _curve(RATES, PSNRS), _curve(RATES[::2] * 0.9, PSNRS[::2])
  pchip = bjontegaard.bd_rate(anchor, test)
  akima = bjontegaard.bd_rate(
    anchor, test, interpolator=interpolate.Akima1DInterpolator
  )
  assert pchip != akima
  assert pchip == pytest.approx(akima, abs=1.0)


def test_points_beaten_by_others_do_not_count():
  anchor = _curve(RATES, PSNRS)
  worse = _curve([*RATES, 0.5, 0.2], [*PSNRS, 31.0, 25.0])
  rates, psnrs = bjontegaard.front(worse)
  # fails if a point that costs more for less is kept
  np.testing.assert_array_equal(rates, RATES)
  np.testing.assert_array_equal(psnrs, PSNRS)
  assert bjontegaard.bd_rate(anchor, worse) == pytest.approx(0, abs=1e-9)


def test_curves_without_overlap_are_refused_with_both_ranges():
  high = _curve(RATES, PSNRS + 20, "high")
  with pytest.raises(
    bjontegaard.NoOverlapError, match=r"'low' \[27, 36\], 'high' \[47, 56\]"
  ):
    bjontegaard.bd_rate(_curve(RATES, PSNRS, "low"), high)
  with pytest.raises(bjontegaard.NoOverlapError, match="no overlap in log10"):
    bjontegaard.bd_psnr(_curve(RATES, PSNRS), _curve(RATES * 100, PSNRS))


def test_a_single_point_has_no_average_gap():
  with pytest.raises(bjontegaard.NoOverlapError, match="'one' has 1 points"):
    bjontegaard.bd_rate(_curve(RATES, PSNRS), _curve([0.3], [30.0], "one"))


def test_the_published_order_of_codecs(data_dir):
  folder = data_dir / "reference_curves" / "kodak" / "compressai"
  curves = {
    name: interchange.read_curve(folder / f"{name}.json")
    for name in ("jpeg", "jpeg2000", "bpg_444_x265_ycbcr", "vtm")
  }
  savings = [
    bjontegaard.bd_rate(curves["jpeg"], curve) for curve in curves.values()
  ]
  assert savings[0] == pytest.approx(0)
  assert savings == sorted(savings, reverse=True)
