"""Signed distances are the distances to the boundary, and their signs."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from inrjax import data
from inrjax.coords import grid
from inrjax.data import signed_distance as sd

AXIS = np.linspace(-1, 1, 23)


def boundary(shape: sd.Shape, count: int) -> np.ndarray:
  """Points `[n, 2]` spread densely over a shape's boundary."""
  if isinstance(shape, sd.Circle):
    turn = np.linspace(0, 2 * np.pi, count)
    return shape.centre + shape.radius * np.stack(
      [np.cos(turn), np.sin(turn)], -1
    )
  share = np.linspace(0, 1, count)[:, None]
  starts = shape.vertices
  ends = np.concatenate([starts[1:], starts[:1]])
  return np.concatenate(
    [a + share * (b - a) for a, b in zip(starts, ends, strict=True)]
  )


def winds(shape: sd.Shape, point: np.ndarray) -> bool:
  """Whether a shape goes an odd number of times round a point, by angles."""
  if isinstance(shape, sd.Circle):
    return bool(np.sum((point - shape.centre) ** 2) < shape.radius**2)
  spokes = shape.vertices - point
  nexts = np.concatenate([spokes[1:], spokes[:1]])
  cross = spokes[:, 0] * nexts[:, 1] - spokes[:, 1] * nexts[:, 0]
  turns = np.arctan2(cross, np.sum(spokes * nexts, axis=1)).sum() / (2 * np.pi)
  return round(turns) % 2 == 1


def brute_force(shapes, x, y, count=2000) -> np.ndarray:
  points = np.concatenate([boundary(shape, count) for shape in shapes])
  out = np.zeros((len(y), len(x)))
  for i, j in np.ndindex(out.shape):
    here = np.array([x[j], y[i]])
    distance = np.sqrt(np.min(np.sum((points - here) ** 2, axis=1)))
    inside = sum(winds(shape, here) for shape in shapes) % 2
    out[i, j] = -distance if inside else distance
  return out


@pytest.mark.parametrize("seed", range(8))
def test_random_shapes_against_dense_boundaries(seed):
  shapes = sd.random_shapes(np.random.default_rng(seed))
  x, y = AXIS, AXIS[::2]
  found = sd.signed_distance(shapes, x, y)
  wanted = brute_force(shapes, x, y)
  # Fails if x and y are swapped, a segment is taken for its line, the last
  # segment is forgotten, or overlaps are combined by the minimum. The sampled
  # boundary is never nearer than the true one.
  np.testing.assert_allclose(found, wanted, atol=2e-3)
  assert (np.abs(found) <= np.abs(wanted) + 1e-12).all()


def test_a_triangle_by_hand():
  triangle = sd.Polygon(np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]]))
  x, y = np.array([-3.0, 1.0, 3.5, 7.0]), np.array([-4.0, 1.0])
  # The line of the hypotenuse is 3 x + 4 y = 12, and its end (4, 0) is nearest
  # to the last column: fails if a segment is taken for its line.
  wanted = [[5, 4, 4, 5], [3, -1, 0.5, 10**0.5]]
  found = sd.signed_distance([triangle], x, y)
  np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_overlaps_are_holes_and_a_hole_has_a_boundary():
  discs = [sd.Circle(np.zeros(2), r) for r in (1.0, 0.25)]
  found = sd.signed_distance(discs, np.array([0.0, 0.5, 2.0]), np.zeros(1))
  # Fails if the minimum of signed distances is taken: -1 in the middle.
  np.testing.assert_allclose(found, [[0.25, -0.25, 1.0]], atol=1e-15)


def test_a_repeated_vertex_changes_nothing():
  corners = np.array([[0.0, 0.0], [0.5, 0.1], [0.2, 0.7]])
  repeated = sd.Polygon(np.repeat(corners, 2, axis=0))
  # Fails if a segment of no length divides by it.
  np.testing.assert_array_equal(
    sd.signed_distance([repeated], AXIS, AXIS),
    sd.signed_distance([sd.Polygon(corners)], AXIS, AXIS),
  )


@hypothesis.given(seed=st.integers(0, 2**32 - 1))
@hypothesis.settings(max_examples=40)
def test_gradient_and_range(seed):
  shapes = sd.random_shapes(np.random.default_rng(seed))
  x = np.linspace(-1, 1, 33)
  found = sd.signed_distance(shapes, x, x)
  assert np.isfinite(found).all() and (np.abs(found) <= sd.REACH).all()
  # A distance changes no faster than the point moves.
  step = x[1] - x[0]
  for axis in (0, 1):
    assert np.abs(np.diff(found, axis=axis)).max() <= step * (1 + 1e-9)


def test_no_shape_is_an_error():
  with pytest.raises(ValueError, match="at least one shape"):
    sd.signed_distance([], AXIS, AXIS)


def test_grey_levels_are_the_distances_and_keep_the_sign():
  source = data.SignedDistances("train", num_images=3, side=32)
  assert len(source) == 3 and len(list(source)) == 3
  image, distances = source[1], source.distances(1)
  assert image.shape == (32, 32, 1) and image.dtype == np.uint8
  back = (image[..., 0] / 255 - 0.5) * 2 * sd.REACH
  # Fails if levels are truncated instead of rounded, or scaled otherwise.
  assert np.abs(back - distances).max() <= sd.REACH / 255 * (1 + 1e-9)
  assert ((image[..., 0] >= 128) == (distances > 0)).all()


def test_pixels_are_where_the_coordinates_say():
  source = data.SignedDistances("test", num_images=1, side=9)
  points = grid.grid((9, 9)).astype(np.float64)
  # A grid's first coordinate is the row.
  axis = points[:, 1].reshape(9, 9)[0]
  np.testing.assert_allclose(
    source.distances(0),
    sd.signed_distance(source.shapes(0), axis, axis),
    atol=1e-6,
  )


def test_a_side_is_a_sampling_of_the_same_shapes():
  small = data.SignedDistances("train", num_images=2, side=8).distances(1)
  # Every third centre of 24 is one of 8.
  large = data.SignedDistances("train", num_images=2, side=24).distances(1)
  np.testing.assert_allclose(large[1::3, 1::3], small, atol=1e-12)


def test_reach_truncates_and_nothing_else():
  whole = data.SignedDistances("train", num_images=1, side=16)
  near = data.SignedDistances("train", num_images=1, side=16, reach=0.5)
  d = whole.distances(0)
  assert (near[0][d >= 0.5] == 255).all() and near[0].min() < whole[0].min()
  np.testing.assert_array_equal(near.distances(0), d)


def test_images_are_stable_and_splits_are_disjoint():
  def images(split, seed=0, count=20):
    source = data.SignedDistances(split, num_images=count, side=8, seed=seed)
    return {source[i].tobytes() for i in range(20)}

  assert images("train") == images("train", count=50)
  sets = [images(s) for s in ("train", "validation", "test")]
  sets.append(images("train", seed=1))
  # Fails if two streams coincide, or an image repeats.
  assert len(set.union(*sets)) == 80


def test_golden():
  source = data.SignedDistances("train", num_images=1, side=16)
  np.testing.assert_array_equal(
    source[0][::5, ::5, 0],
    [
      [205, 178, 171, 194],
      [174, 142, 134, 178],
      [167, 134, 141, 183],
      [169, 150, 172, 204],
    ],
  )


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"side": 0}, "side must be at least 1, got 0"),
    ({"reach": 0.0}, "reach must be above 0, got 0.0"),
    ({"reach": float("nan")}, "reach must be above 0, got nan"),
    ({"seed": -1}, "seed must be"),
  ],
)
def test_bad_values_are_named(settings, message):
  with pytest.raises(ValueError, match=message):
    data.SignedDistances("train", num_images=1, **settings)


def test_batches_come_out_of_the_pipeline():
  source = data.SignedDistances("train", num_images=6, side=16)
  batches = data.make_pipeline(source, batch_size=3, seed=0)
  assert next(batches).shape == (3, 16, 16, 1)
