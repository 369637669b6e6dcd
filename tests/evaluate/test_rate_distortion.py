"""Rates add up, averages are means, curves interpolate in log-bpp."""

import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from inrjax.evaluate import interchange
from inrjax.evaluate import rate_distortion as rd


def _rate(payload, pixels=64, header=2, side=1, bits=None):
  total = header + side + payload
  return rd.Rate(pixels, total, header, side, payload, bits)


def test_bpp_counts_every_byte_written():
  # fails if header or side information is left out
  assert _rate(13).bpp == 8 * 16 / 64


def test_the_estimate_never_enters_the_rate():
  rate = _rate(13, bits=32.0)
  assert rate.bpp == _rate(13).bpp
  assert rate.estimated_bpp == 0.5
  assert _rate(13).estimated_bpp is None


@pytest.mark.parametrize(
  "fields", [(64, 10, 2, 1, 6), (64, 10, -1, 5, 6), (0, 9, 2, 1, 6)]
)
def test_rates_that_do_not_add_up_are_refused(fields):
  with pytest.raises(ValueError, match=r"sum to the total|positive"):
    rd.Rate(*fields)


@hypothesis.given(st.integers(1, 500), st.integers(0, 10**6))
def test_sharing_a_container_keeps_bits_per_pixel(images, payload):
  rate = _rate(payload, pixels=1024 * images, bits=float(payload))
  share = rate.share(images)
  # fails if the header is not shared, or pixels are not
  assert share.num_pixels == 1024
  assert share.bpp == pytest.approx(rate.bpp)
  assert share.estimated_bpp == pytest.approx(rate.estimated_bpp)
  assert share.header * images == pytest.approx(rate.header)


def test_pixels_that_cannot_be_shared_evenly_are_refused():
  with pytest.raises(ValueError, match="64 pixels"):
    _rate(3).share(3)


def test_measure_compares_after_rounding():
  original = np.zeros((16, 12, 3), np.uint8)
  result = rd.measure(original, np.full((16, 12, 3), 2.2 / 255), _rate(5, 192))
  assert result.mse == 4
  assert result.psnr == pytest.approx(10 * math.log10(255**2 / 4))
  assert -1 <= result.ssim <= 1


def test_measure_leaves_ssim_out_on_tiny_images_and_checks_pixels():
  original = np.zeros((8, 8, 3), np.uint8)
  assert rd.measure(original, original, _rate(5)).ssim is None
  with pytest.raises(ValueError, match="64 pixels, its rate counts 65"):
    rd.measure(original, original, _rate(5, 65))


def test_average_weighs_images_alike_whatever_their_size():
  rows = [
    rd.Measurement(_rate(13, 64, bits=64.0), 4.0, 42.0, 0.9),
    rd.Measurement(_rate(61, 128, bits=256.0), 16.0, 36.0, 0.7),
  ]
  point = rd.average(rows, setting=3)
  # fails if bytes are summed before dividing by pixels
  assert point.bpp == pytest.approx((2 + 4) / 2)
  assert point.psnr == 39.0
  assert point.psnr_of_mean_mse == pytest.approx(10 * math.log10(255**2 / 10))
  assert point.ssim == pytest.approx(0.8)
  assert point.estimated_bpp == pytest.approx((1 + 2) / 2)
  parts = (point.header_bpp, point.side_information_bpp, point.payload_bpp)
  # fails if a part of the rate is lost on the way
  assert sum(parts) == pytest.approx(point.bpp)
  assert (point.num_images, point.setting) == (2, 3)


def test_a_column_that_one_image_lacks_is_unknown():
  rows = [
    rd.Measurement(_rate(13, bits=64.0), 4.0, 42.0, None),
    rd.Measurement(_rate(13), 4.0, 42.0, 0.5),
  ]
  point = rd.average(rows)
  # fails if the mean is taken over the images that have the column
  assert point.ssim is None
  assert point.estimated_bpp is None


def test_aggregate_makes_a_point_per_setting_in_order_of_rate():
  low = [rd.Measurement(_rate(13), 4.0, 30.0, None)] * 2
  high = [rd.Measurement(_rate(61), 4.0, 40.0, None)] * 2
  curve = rd.aggregate("ours", {9: high, 1: low}, meta={"seed": 0})
  assert [point.setting for point in curve.points] == [1, 9]
  assert curve.bpp.tolist() == [2.0, 8.0]
  assert curve.psnr.tolist() == [30.0, 40.0]
  assert curve.meta == {"seed": 0}


def test_aggregate_refuses_settings_over_different_images():
  row = rd.Measurement(_rate(13), 4.0, 30.0, None)
  with pytest.raises(ValueError, match="different numbers of images"):
    rd.aggregate("ours", {1: [row], 2: [row, row]})


def test_points_and_curves_refuse_what_is_no_number():
  with pytest.raises(ValueError, match="positive and finite"):
    rd.RatePoint(bpp=0.0, psnr=30.0)
  with pytest.raises(ValueError, match="NaN"):
    rd.RatePoint(bpp=1.0, psnr=math.nan)
  with pytest.raises(ValueError, match="no points"):
    rd.Curve("empty", ())
  with pytest.raises(ValueError, match="not a numeric column"):
    rd.RatePoint(bpp=1.0, psnr=30.0).value("setting")


def test_interpolation_is_linear_in_the_logarithm_of_the_rate():
  curve = rd.curve_from_arrays("c", [0.4, 0.1], [32.0, 28.0])
  # fails if it is linear in the rate (29.33), or points are not sorted
  assert rd.interpolate(curve, 0.2) == pytest.approx(30.0)


@hypothesis.given(
  st.lists(
    st.tuples(st.floats(0.01, 8), st.floats(20, 50)), min_size=1, max_size=8
  ),
  st.floats(0.01, 8),
)
def test_interpolation_hits_the_points_and_never_extrapolates(pairs, bpp):
  curve = rd.curve_from_arrays("c", *zip(*pairs, strict=True))
  best = {b: max(p for c, p in pairs if c == b) for b, _ in pairs}
  for rate, value in best.items():
    assert rd.interpolate(curve, rate) == pytest.approx(value)
  value = rd.interpolate(curve, bpp)
  inside = min(best) <= bpp <= max(best)
  # fails if np.interp's constant extension leaks out
  assert (value is not None) == inside
  if inside:
    assert min(best.values()) - 1e-9 <= value <= max(best.values()) + 1e-9


def test_interpolation_passes_lossless_and_missing_values_over():
  points = (
    rd.RatePoint(0.1, 30.0, extra={"ms-ssim": 0.8}),
    rd.RatePoint(0.2, 33.0),
    rd.RatePoint(0.4, 34.0, extra={"ms-ssim": 0.9}),
    rd.RatePoint(9.0, math.inf),
  )
  curve = rd.Curve("c", points)
  assert rd.interpolate(curve, 0.2, "ms-ssim") == pytest.approx(0.85)
  assert rd.interpolate(curve, 1.0) is None
  assert rd.interpolate(curve, 0.2, "ssim") is None
  with pytest.raises(ValueError, match="positive"):
    rd.interpolate(curve, 0.0)


# Published anchors: (file, {bpp: dB}); None where the curve does not reach.
KODAK = {
  "compressai/jpeg": {0.1: None, 0.2: None, 0.3: 25.97, 0.5: 28.95, 1: 32.59},
  "compressai/jpeg2000": {0.1: None, 0.2: 27.81, 0.3: 29.21, 0.5: 31.27,
                          1: 34.71},
  "compressai/bpg_444_x265_ycbcr": {0.1: 27.31, 0.2: 29.49, 0.3: 31.00,
                                    0.5: 33.32, 1: 37.16},
  "compressai/vtm": {0.1: 28.17, 0.2: 30.49, 0.3: 32.08, 0.5: 34.37, 1: 38.24},
  "coin/compressai-bmshj2018-hyperprior": {0.1: None, 0.2: 29.05, 0.3: 30.71,
                                           0.5: 33.06, 1: 37.14},
  "coin/coin": {0.1: 23.77, 0.2: 25.24, 0.3: 26.35, 0.5: 27.83, 1: 30.02},
  "coinpp/coinpp": {0.1: 24.42, 0.2: 25.65, 0.3: 26.41, 0.5: 27.62, 1: None},
}  # fmt: skip
CIFAR10 = {
  "coinpp/coinpp": {1: 26.65, 2: 29.95, 3: 31.97, 4: 33.61},
  "coinpp/bpg_444_x265_ycbcr": {1: 27.11, 2: 32.55, 3: 36.35, 4: 39.28},
}


@pytest.mark.parametrize(
  ("folder", "anchors"), [("kodak", KODAK), ("cifar10", CIFAR10)]
)
def test_published_anchors_are_reproduced(data_dir, folder, anchors):
  for name, values in anchors.items():
    path = data_dir / "reference_curves" / folder / f"{name}.json"
    curve = interchange.read_curve(path)
    for bpp, expected in values.items():
      value = rd.interpolate(curve, bpp)
      # fails if the interpolation is linear in bpp
      if expected is None:
        assert value is None, (name, bpp)
      else:
        assert value == pytest.approx(expected, abs=0.0051), (name, bpp)
