"""Random resized crops: windows of the sizes that were asked for."""

import math

import numpy as np
import pytest

from inrjax import data


def ramp(height: int, width: int) -> np.ndarray:
  """Red is the row, green the column."""
  rows = np.broadcast_to(np.arange(height)[:, None], (height, width))
  columns = np.broadcast_to(np.arange(width), (height, width))
  return np.stack([rows, columns, rows], -1).astype(np.uint8)


def extent(window: np.ndarray) -> tuple[float, float]:
  """Height and width of the window, from how fast its ramp rises."""
  side = window.shape[0]
  middle = window[side // 4 : -side // 4, side // 4 : -side // 4].astype(float)
  part = middle.shape[0] - 1
  rows = (middle[-1, 0, 0] - middle[0, 0, 0]) / part * side
  columns = (middle[0, -1, 1] - middle[0, 0, 1]) / part * side
  return rows, columns


def test_windows_have_the_areas_and_ratios_asked_for() -> None:
  image = ramp(200, 160)
  crop = data.RandomResizedCrop(32, area=(0.2, 0.6), aspect=(0.5, 2.0))
  rng = np.random.default_rng(0)
  areas, ratios = [], []
  for _ in range(60):
    window = crop(rng, image)
    assert window.shape == (32, 32, 3) and window.dtype == np.uint8
    height, width = extent(window)
    areas.append(height * width / (200 * 160))
    ratios.append(width / height)
  # Fails if height and width are swapped, or the ranges are not kept.
  assert min(areas) > 0.17 and max(areas) < 0.65
  assert min(ratios) > 0.45 and max(ratios) < 2.2
  assert max(areas) - min(areas) > 0.3
  assert math.log(max(ratios) / min(ratios)) > 0.8


def test_the_whole_image_and_grey() -> None:
  image = ramp(24, 24)[..., :1]
  crop = data.RandomResizedCrop(24, area=(1.0, 1.0), aspect=(1.0, 1.0))
  np.testing.assert_array_equal(crop(np.random.default_rng(0), image), image)


@pytest.mark.parametrize("shape", [(8, 90), (90, 8), (1, 1)])
def test_where_no_window_fits_the_middle_is_taken(shape) -> None:
  # Fails if the loop does not end, or the ratio is inverted.
  crop = data.RandomResizedCrop(8, area=(0.9, 1.0))
  window = crop(np.random.default_rng(0), ramp(*shape))
  assert window.shape == (8, 8, 3)
  if max(shape) == 90:
    spread = [float(np.ptp(window[..., c])) for c in (0, 1)]
    assert max(spread) < 8 * 4 / 3
    assert window[4, 4, int(shape[1] == 90)] == pytest.approx(45, abs=4)


@pytest.mark.parametrize(
  ("settings", "match"),
  [
    ({"side": 0}, "side must be at least 1, got 0"),
    ({"side": 8, "area": (0.0, 1.0)}, "area"),
    ({"side": 8, "area": (0.5, 1.5)}, "area"),
    ({"side": 8, "aspect": (2.0, 1.0)}, "aspect"),
  ],
)
def test_impossible_windows(settings, match) -> None:
  with pytest.raises(ValueError, match=match):
    data.RandomResizedCrop(**settings)
