"""Tables: numbers at rates, nothing extrapolated, columns aligned."""

import pytest

from inrjax.evaluate import rate_distortion as rd
from inrjax.evaluate import tables

LOW = rd.curve_from_arrays("JPEG", [0.1, 0.4], [24.0, 30.0])
HIGH = rd.curve_from_arrays("ours | best", [0.05, 0.2], [24.0, 30.0])


def test_markdown_of_rates_and_bd_rate():
  rows = tables.rate_table([LOW, HIGH], [0.1, 0.2, 0.4], anchor=LOW)
  # fails if a curve is extrapolated, or BD-rate has the other sign
  assert tables.markdown(rows) == (
    "| codec        |   0.1 |   0.2 |   0.4 | BD-rate vs JPEG |\n"
    "| :----------- | ----: | ----: | ----: | --------------: |\n"
    "| JPEG         | 24.00 | 27.00 | 30.00 |          +0.0 % |\n"
    "| ours \\| best | 27.00 | 30.00 |     - |         -50.0 % |\n"
  )


def test_plain_text_without_overlap():
  far = rd.curve_from_arrays("far", [0.1, 0.2], [50.0, 60.0])
  rows = tables.rate_table([far], [0.1], anchor=LOW)
  assert tables.plain(rows) == (
    "codec    0.1  BD-rate vs JPEG\n"
    "-----  -----  ---------------\n"
    "far    50.00                -\n"
  )


def test_another_metric_can_be_shown():
  points = (rd.RatePoint(0.1, 30.0, ssim=0.81239), rd.RatePoint(0.2, 31.0))
  rows = tables.rate_table([rd.Curve("c", points)], [0.1, 0.2], metric="ssim")
  assert rows[1] == ["c", "0.8124", "-"]


def test_points_show_the_estimate_beside_the_split_rate():
  point = rd.RatePoint(
    0.5,
    30.0,
    psnr_of_mean_mse=29.5,
    header_bpp=0.1,
    side_information_bpp=0.0,
    payload_bpp=0.4,
    estimated_bpp=0.35,
    num_images=12,
    setting=0.02,
  )
  head, row = tables.point_table(rd.Curve("c", (point,)))
  # fails if the estimate takes the place of the rate
  assert dict(zip(head, row, strict=True)) == {
    "setting": "0.02",
    "bpp": "0.5000",
    "header": "0.1000",
    "side": "0.0000",
    "payload": "0.4000",
    "estimate": "0.3500",
    "mean PSNR": "30.00",
    "PSNR of mean MSE": "29.50",
    "SSIM": "-",
    "images": "12",
  }


@pytest.mark.parametrize("rows", [[], [["a", "b"], ["c"]]])
def test_ragged_tables_are_refused(rows):
  with pytest.raises(ValueError, match="equal length"):
    tables.plain(rows)
