"""Points of the globe, and fields with holes."""

import hypothesis
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from inrjax.coords import sphere

RNG = np.random.default_rng(0)


@hypothesis.given(
  latitudes=st.lists(
    st.floats(-90, 90, width=32), min_size=1, max_size=6, unique=True
  ),
  longitudes=st.lists(st.floats(-720, 720), min_size=1, max_size=6),
)
def test_points_have_unit_norm_and_wrap(latitudes, longitudes):
  # Fails if degrees are taken for radians, or a turn of the globe matters.
  found = sphere.unit_vectors(np.array(latitudes), np.array(longitudes))
  np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, rtol=1e-6)
  turned = sphere.unit_vectors(
    np.array(latitudes), np.array(longitudes) + 360.0
  )
  np.testing.assert_allclose(turned, found, atol=1e-6)


def test_points_are_a_double_loop():
  # Fails if latitude and longitude, or their order, are mixed up.
  latitudes, longitudes = np.array([60.0, -30.0]), np.array([0.0, 90, 200])
  found = sphere.unit_vectors(latitudes, longitudes)
  for i, lat in enumerate(np.deg2rad(latitudes)):
    for j, lon in enumerate(np.deg2rad(longitudes)):
      expected = [
        np.cos(lat) * np.cos(lon),
        np.cos(lat) * np.sin(lon),
        np.sin(lat),
      ]
      np.testing.assert_allclose(found[i, j], expected, atol=1e-7)


def test_every_order_of_the_file_gives_the_same_points():
  # Fails if the order is assumed and not read.
  latitudes, longitudes = sphere.equal_angles(7, 12)
  field = RNG.normal(size=(7, 12)).astype(np.float32)
  one = sphere.sphere_context(latitudes, longitudes)(field)
  shifted = np.roll(longitudes, 6)
  shifted[shifted >= 180] -= 360
  other = sphere.sphere_context(latitudes[::-1], shifted)(
    np.roll(field, 6, axis=1)[::-1]
  )

  def key(context):
    rows = np.concatenate([context.coords, context.values], axis=1)
    return sorted(map(tuple, np.round(rows, 5) + 0.0))

  np.testing.assert_allclose(key(one), key(other), atol=2e-5)


def test_the_papers_grid():
  latitudes, longitudes = sphere.equal_angles(46, 90)
  assert (latitudes[0], latitudes[-1]) == (-90, 90)
  assert (longitudes[0], longitudes[-1]) == (0, 356)
  with pytest.raises(ValueError, match="at least 2"):
    sphere.equal_angles(1, 3)


def test_range_becomes_unit():
  latitudes, longitudes = sphere.equal_angles(2, 3)
  as_context = sphere.sphere_context(
    latitudes, longitudes, low=200.0, high=300.0
  )
  field = jnp.array([[200.0, 250, 300], [210, 220, 230]])
  np.testing.assert_allclose(
    as_context(field).values[:, 0], [0, 0.5, 1, 0.1, 0.2, 0.3], rtol=1e-5
  )


def test_missing_values_are_in_the_mask():
  # Fails if NaN stays in the values, or 0 is not what the range makes of them.
  latitudes, longitudes = sphere.equal_angles(3, 4)
  field = RNG.normal(size=(3, 4)).astype(np.float32)
  field[0, 1] = field[2, 2] = np.nan
  as_context = sphere.masked_sphere_context(
    latitudes, longitudes, low=-2.0, high=2.0
  )
  context = as_context(jnp.asarray(field))
  there = np.isfinite(field.ravel())
  np.testing.assert_array_equal(context.mask[:, 0], there)
  expected = np.where(there, (field.ravel() + 2) / 4, 0)
  np.testing.assert_allclose(context.values[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(
  ("latitudes", "longitudes", "message"),
  [
    ([0.0, 95], [0.0], "-90, 90"),
    ([10.0, 10], [0.0], "differ"),
    ([np.nan, 1], [0.0], "finite"),
    ([], [0.0], "non-empty"),
    ([0.0], [[0.0]], "longitudes"),
  ],
)
def test_impossible_grids_are_refused(latitudes, longitudes, message):
  with pytest.raises(ValueError, match=message):
    sphere.unit_vectors(np.array(latitudes), np.array(longitudes))


def test_bad_fields_are_refused():
  grid = sphere.equal_angles(2, 3)
  with pytest.raises(ValueError, match="made for 2x3"):
    sphere.sphere_context(*grid)(jnp.zeros((3, 2)))
  with pytest.raises(ValueError, match="low must be below"):
    sphere.sphere_context(*grid, low=1.0, high=1.0)
