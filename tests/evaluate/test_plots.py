"""Figures: every curve and caption is inside, pixels are untouched."""

import math
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

from inrjax.evaluate import plots
from inrjax.evaluate import rate_distortion as rd

pytest.importorskip("matplotlib")

CURVES = [
  rd.curve_from_arrays("low", [0.1, 0.4, 1.0], [22.0, 25.0, 28.0]),
  rd.curve_from_arrays("a long name of a codec", [0.1, 1.0], [26.0, 31.0]),
]


@pytest.fixture
def drawn(monkeypatch):
  """Keeps the figure that is saved."""
  kept = []
  save = plots._save

  def keep(figure, path):
    kept.append(figure)
    save(figure, path)

  monkeypatch.setattr(plots, "_save", keep)
  return kept


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_curves_are_drawn_and_the_legend_follows_their_order(
  tmp_path, drawn, scale
):
  path = tmp_path / "rd.png"
  plots.rate_distortion_figure(
    path, CURVES, rate_scale=scale, title="t", highlight=["low"]
  )
  (axes,) = drawn[0].axes
  assert axes.get_xscale() == scale
  assert axes.get_xlabel() == "bits per pixel"
  lines = {line.get_label(): line for line in axes.lines}
  np.testing.assert_allclose(lines["low"].get_xydata()[:, 1], [22, 25, 28])
  # fails if `highlight` changes nothing
  other = lines["a long name of a codec"]
  assert lines["low"].get_linewidth() > other.get_linewidth()
  legend = axes.get_legend()
  # fails if the legend stands in the order of the arguments
  assert [text.get_text() for text in legend.get_texts()] == [
    "a long name of a codec",
    "low",
  ]
  # fails if the legend is clipped at the figure's edge
  box = legend.get_window_extent()
  assert box.x0 >= axes.get_window_extent().x1
  assert box.x1 <= drawn[0].bbox.x1
  with Image.open(path) as image:
    assert image.size == (1200, 750)


def test_limits_crop_and_an_infinite_point_is_left_out(tmp_path, drawn):
  curve = rd.Curve("c", (*CURVES[0].points, rd.RatePoint(8.0, math.inf)))
  path = tmp_path / "rd.png"
  plots.rate_distortion_figure(path, [curve], rate_limits=(0.2, 0.5))
  (axes,) = drawn[0].axes
  low, high = axes.get_xlim()
  assert 0.18 < low < 0.2 and 0.5 < high < 0.55
  bottom, top = axes.get_ylim()
  # fails if the points outside still stretch the vertical axis
  assert 22.5 < bottom < 23.6 and 25.5 < top < 26.0
  ticks = [t for t in axes.get_xticks() if low <= t <= high]
  assert len(ticks) >= 2


def test_nothing_to_draw_is_refused(tmp_path):
  with pytest.raises(ValueError, match="finite 'ssim'"):
    plots.rate_distortion_figure(tmp_path / "x.png", CURVES, metric="ssim")
  with pytest.raises(ValueError, match="finite 'psnr'"):
    plots.rate_distortion_figure(
      tmp_path / "x.png", CURVES, rate_limits=(2.0, 3.0)
    )
  with pytest.raises(ValueError, match="low < high"):
    plots.rate_distortion_figure(
      tmp_path / "x.png", CURVES, rate_limits=(3.0, 2.0)
    )
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
  ("height", "width", "scale", "channels"),
  [(280, 300, 1, 3), (32, 32, 9, 3), (270, 50, 1, 1)],
)
def test_pixels_are_drawn_one_to_one_or_by_a_whole_factor(
  tmp_path, drawn, height, width, scale, channels
):
  image = data.astronaut()[:height, :width, :channels]
  other = np.clip(image.astype(int) + 5, 0, 255).astype(np.uint8)
  path = tmp_path / "side.png"
  plots.side_by_side(path, image, other, bpp=0.3, name="n" * 60, error_gain=3)
  with Image.open(path) as file:
    canvas = np.asarray(file.convert("RGB"))
  slot = max(width * scale, 260)
  for index, panel in enumerate(
    (image, other, np.minimum(3 * (other - image), 255))
  ):
    left = 12 + index * (slot + 12)
    seen = canvas[-12 - height * scale : -12, left : left + width * scale]
    # fails if the picture is resampled, shifted, flipped or clipped
    np.testing.assert_array_equal(
      seen[scale // 2 :: scale, scale // 2 :: scale],
      np.broadcast_to(panel, (height, width, 3)),
    )
  for text in drawn[0].texts:
    box = text.get_window_extent()
    # fails if a long name runs over its neighbour or off the canvas
    assert box.width <= slot + 6
    assert box.y1 <= drawn[0].bbox.y1 and box.y0 >= height * scale


def test_captions_hold_the_numbers(tmp_path, drawn):
  image = np.full((20, 30, 3), 100, np.uint8)
  plots.side_by_side(tmp_path / "a.png", image, image + np.uint8(1), bpp=0.25)
  plots.side_by_side(tmp_path / "b.png", image, image, bpp=0.25)
  captions = [[t.get_text() for t in figure.texts] for figure in drawn]
  assert "48.13 dB at 0.250 bpp" in captions[0]
  assert "absolute error x 4" in captions[0]
  assert "largest 1 of 255" in captions[0]
  assert "lossless at 0.250 bpp" in captions[1]


def test_bad_pictures_are_refused_and_leave_no_file(tmp_path):
  image = np.zeros((8, 8, 3), np.uint8)
  for a, b, gain in (
    (image, image[:4], 4.0),
    (image[..., 0], image[..., 0], 4.0),
    (image, image, 0.0),
  ):
    with pytest.raises(ValueError, match=r"equal|\[H, W, 1\]|error_gain"):
      plots.side_by_side(tmp_path / "x.png", a, b, bpp=1.0, error_gain=gain)
  assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "matplotlib", None)
  monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
  with pytest.raises(ImportError, match=r"inrjax\[plots\]"):
    plots.rate_distortion_figure(tmp_path / "x.png", CURVES)
