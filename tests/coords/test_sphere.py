"""Points of the globe, and fields with holes."""

import hypothesis
import jax
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


def test_what_is_always_missing_is_left_out_and_restored():
  # Fails if coordinates and values are cut differently.
  latitudes, longitudes = sphere.equal_angles(4, 5)
  present = RNG.random((4, 5)) < 0.6
  field = np.where(present, RNG.normal(size=(4, 5)), np.nan)[..., None]
  as_context = sphere.sphere_context(latitudes, longitudes, present=present)
  context = as_context(field.astype(np.float32))
  assert context.coords.shape == (present.sum(), 3)
  np.testing.assert_array_equal(
    context.coords, sphere.unit_vectors(latitudes, longitudes)[present]
  )
  back = sphere.restore(np.asarray(context.values), present)
  np.testing.assert_array_equal(back, field.astype(np.float32))
  with pytest.raises(ValueError, match="one row for each"):
    sphere.restore(np.zeros((3, 1)), present)


def test_missing_values_have_no_loss_and_no_gradient():
  # Fails if the mean counts missing values, or NaN reaches the gradient.
  latitudes, longitudes = sphere.equal_angles(3, 4)
  field = RNG.normal(size=(3, 4)).astype(np.float32)
  field[0, 1] = field[2, 2] = np.nan
  as_context = sphere.masked_sphere_context(
    latitudes, longitudes, low=-2.0, high=2.0
  )
  context = as_context(jnp.asarray(field))
  assert np.isfinite(context.values).all()
  outputs = jnp.asarray(RNG.normal(size=(12, 1)).astype(np.float32))
  loss, gradient = jax.value_and_grad(sphere.masked_mean_squared_error)(
    outputs, context
  )
  there = np.isfinite(field.ravel())
  expected = (outputs[:, 0] - (field.ravel() + 2) / 4)[there] ** 2
  np.testing.assert_allclose(loss, np.mean(expected), rtol=1e-5)
  assert not np.any(np.asarray(gradient)[~there])
  assert np.all(np.asarray(gradient)[there])
  nothing = as_context(jnp.full((3, 4), jnp.nan))
  assert sphere.masked_mean_squared_error(outputs, nothing) == 0


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
  with pytest.raises(ValueError, match="true somewhere"):
    sphere.sphere_context(*grid, present=np.zeros((2, 3)))
