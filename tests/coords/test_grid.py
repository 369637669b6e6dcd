"""Grids, images as contexts, and the points a step sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import coords
from inrjax.types import Context


def test_grid_is_a_double_loop():
  # Fails if the axes are swapped or points lie on the boundary.
  found = coords.coordinate_grid((2, 3), low=0.0, high=6.0)
  expected = [(y, x) for y in (1.5, 4.5) for x in (1.0, 3.0, 5.0)]
  np.testing.assert_allclose(found, expected)
  assert found.dtype == np.float32


@pytest.mark.parametrize("shape", [(1,), (5,), (4, 7), (2, 3, 4)])
def test_grid_is_centred_and_covers_its_extent(shape):
  points = coords.coordinate_grid(shape)
  assert points.shape == (np.prod(shape), len(shape))
  np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-6)
  np.testing.assert_allclose(points.max(axis=0), 1 - 1 / np.array(shape))


def test_other_resolutions_sample_the_same_extent():
  # Fails if points sit on the boundary: averages of neighbours would then not
  # be the points of the grid of half the resolution.
  fine = coords.coordinate_grid((8,))
  coarse = coords.coordinate_grid((4,))
  np.testing.assert_allclose(fine.reshape(4, 2).mean(axis=1), coarse[:, 0])


@pytest.mark.parametrize("shape", [(), (0,), (3, -1)])
def test_empty_grids_are_refused(shape):
  with pytest.raises(ValueError, match="shape"):
    coords.coordinate_grid(shape)


def test_empty_ranges_are_refused():
  with pytest.raises(ValueError, match="low"):
    coords.coordinate_grid((3,), low=1.0, high=1.0)


def test_image_context_pairs_each_pixel_with_its_place():
  # Fails if values are laid out in another order than coordinates, or bytes
  # are not scaled.
  image = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
  context = coords.image_context(3, 5)(jnp.asarray(image))
  assert context.coords.shape == (15, 2)
  assert context.values.dtype == jnp.float32
  for (y, x), value in zip(context.coords, context.values, strict=True):
    row = round((float(y) + 1) / 2 * 3 - 0.5)
    column = round((float(x) + 1) / 2 * 5 - 0.5)
    np.testing.assert_allclose(value, image[row, column] / 255, rtol=1e-6)


def test_floating_point_images_are_left_alone():
  image = jnp.full((2, 2, 1), 0.25)
  np.testing.assert_array_equal(coords.image_context(2, 2)(image).values, 0.25)


def test_images_of_another_size_are_refused():
  with pytest.raises(ValueError, match="3 x 2"):
    coords.image_context(2, 3)(jnp.zeros((3, 2, 1)))


def test_random_points_are_drawn_without_replacement():
  # Fails if points may repeat, or coordinates and values part company.
  number = jnp.arange(20.0)[:, None]
  context = Context(jnp.tile(number, (1, 2)), number)
  select = coords.random_points(12)
  chosen = select(jax.random.key(0), {}, {}, context)
  assert len(np.unique(chosen.values)) == 12
  np.testing.assert_array_equal(chosen.coords[:, :1], chosen.values)
  other = select(jax.random.key(1), {}, {}, context)
  assert not np.array_equal(np.sort(other.values), np.sort(chosen.values))


def test_full_context_is_all_of_it():
  context = Context(jnp.ones((4, 2)), jnp.ones((4, 3)))
  assert coords.full_context(jax.random.key(0), {}, {}, context) is context


def test_impossible_numbers_of_points_are_refused():
  with pytest.raises(ValueError, match="num_points"):
    coords.random_points(0)
  context = Context(jnp.ones((4, 2)), jnp.ones((4, 3)))
  with pytest.raises(ValueError, match="4 points"):
    coords.random_points(5)(jax.random.key(0), {}, {}, context)
