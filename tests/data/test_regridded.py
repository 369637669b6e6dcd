"""Fields of several grids on one grid."""

import numpy as np
import pytest

from inrjax import data


class Source:
  """A smooth function of the place on any grid."""

  def __init__(self, latitudes, longitudes, number=1):
    self.latitudes = np.asarray(latitudes, float)
    self.longitudes = np.asarray(longitudes, float)
    self.number = number
    self.hole = None  # Row and column without a value.

  def __len__(self):
    return self.number

  def __getitem__(self, index):
    field = truth(self.latitudes, self.longitudes)
    if self.hole is not None:
      field[self.hole] = np.nan
    return (index + field)[..., np.newaxis].astype(np.float32)


def truth(latitudes, longitudes):
  lat, lon = np.radians(latitudes)[:, None], np.radians(longitudes)
  return np.sin(lat) + np.cos(lat) * np.cos(lon - 0.4)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("first", [0, -180, 90.5])
def test_a_smooth_field_is_met(order, first):
  # Fails if latitudes are taken to rise, longitudes to start at 0, or the gap
  # between the last and the first is not interpolated.
  source = Source(np.linspace(-90, 90, 181)[::order], first + np.arange(360))
  found = data.RegriddedFields([source], (36, 72))
  expected = truth(found.latitudes, found.longitudes)
  np.testing.assert_allclose(found[0][..., 0], expected, atol=2e-4)
  assert found[0].shape == (36, 72, 1) and found[0].dtype == np.float32


def test_its_own_grid_comes_back():
  grid = data.RegriddedFields([Source([0.0], [0, 180])], (6, 8))
  source = Source(grid.latitudes, grid.longitudes)
  again = data.RegriddedFields([source], (6, 8))
  np.testing.assert_allclose(again[0], source[0], atol=1e-6)


def test_beyond_the_last_row_it_is_repeated():
  source = Source([-10, 10], np.arange(0, 360, 10))
  found = data.RegriddedFields([source], (18, 36))[0]
  np.testing.assert_allclose(found[0], found[5])
  np.testing.assert_allclose(found[-1, :, 0], source[0][1, :, 0], atol=1e-6)


def test_sources_follow_one_another():
  sources = [
    Source([-45, 45], np.arange(0, 360, 45), number=3),
    Source([-60, 0, 60], np.arange(0, 360, 30), number=2),
  ]
  everything = data.RegriddedFields(sources, (4, 8), unit="K")
  assert len(everything) == 5 and everything.unit == "K"
  some = data.RegriddedFields(
    sources, (4, 8), indices=[range(2, 3), range(1, 2)]
  )
  np.testing.assert_array_equal(some[0], everything[2])
  np.testing.assert_array_equal(some[1], everything[4])
  with pytest.raises(IndexError, match="2 of 2"):
    _ = some[2]


def test_what_is_missing_stays_missing():
  source = Source(np.linspace(-90, 90, 19), np.arange(0, 360, 10))
  source.hole = (9, 0)
  found = data.RegriddedFields([source], (18, 36))[0]
  assert 1 <= np.isnan(found).sum() <= 4


def test_impossible_grids_are_refused():
  region = Source([40, 50], np.arange(0, 30, 5))
  with pytest.raises(data.FieldError, match="go round"):
    data.RegriddedFields([region], (4, 8))
  with pytest.raises(data.FieldError, match="0 x 8"):
    data.RegriddedFields([Source([0], [0, 180])], (0, 8))
  with pytest.raises(data.FieldError, match="no fields"):
    data.RegriddedFields([], (4, 8))
