"""2-D signed distance functions of random shapes, exact at every pixel.

A picture holds circles and polygons combined by the even-odd rule: a point is
inside if it lies in an odd number of them. Each of their boundaries then
separates inside from outside wherever they overlap or not, so the distance to
the boundary of the whole is the smallest distance to a part's, inside as well
as outside. (A union by the minimum of signed distances is exact outside only.)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inrjax.data import streams

# The first shape's centre is at most `_OFFSET` from the middle on each axis and
# lies inside that shape, so no pixel is further than `REACH` from a boundary,
# where the picture spans [-1, 1]^2.
_OFFSET = 0.25
REACH = (1 + _OFFSET) * 2**0.5
_OTHER_OFFSET = 0.7
_RADII = (0.15, 0.7)
_MAX_SHAPES = 4


class Circle(NamedTuple):
  """A disc.

  Attributes:
    centre: `[2]`, x to the right and y downwards.
    radius: above 0.
  """

  centre: np.ndarray
  radius: float


class Polygon(NamedTuple):
  """A closed polygon; where it crosses itself the even-odd rule holds.

  Attributes:
    vertices: `[V, 2]`, x to the right and y downwards.
  """

  vertices: np.ndarray


Shape = Circle | Polygon


def signed_distance(
  shapes: Sequence[Shape], x: np.ndarray, y: np.ndarray
) -> np.ndarray:
  """Euclidean distance to the shapes' boundary on a grid, negative inside.

  Args:
    shapes: one or more, combined by the even-odd rule.
    x: `[W]` coordinates of the columns.
    y: `[H]` coordinates of the rows.

  Returns:
    `[H, W]` float64, exact up to rounding.

  Raises:
    ValueError: if there is no shape.
  """
  if not shapes:
    raise ValueError("signed_distance needs at least one shape, got none.")
  distance = np.full((len(y), len(x)), np.inf)
  inside = np.zeros(distance.shape, bool)
  for shape in shapes:
    part_distance, part_inside = (
      _circle(shape, x, y[:, np.newaxis])
      if isinstance(shape, Circle)
      else _polygon(shape, x, y[:, np.newaxis])
    )
    np.minimum(distance, part_distance, out=distance)
    inside ^= part_inside
  return np.where(inside, -distance, distance)


def random_shapes(rng: np.random.Generator) -> tuple[Shape, ...]:
  """One to four circles, boxes, stars and irregular polygons.

  Args:
    rng: source of randomness.

  Returns:
    Shapes such that no point of [-1, 1]^2 is further than `REACH` from their
    boundary.
  """
  kinds = (_random_circle, _random_box, _random_star, _random_blob)
  shapes = []
  for place in range(rng.integers(1, _MAX_SHAPES + 1)):
    offset = _OTHER_OFFSET if place else _OFFSET
    centre = rng.uniform(-offset, offset, 2)
    make = kinds[rng.integers(len(kinds))]
    shapes.append(make(rng, centre, rng.uniform(*_RADII)))
  return tuple(shapes)


class SignedDistances:
  """Grey pictures of signed distances, made when asked for.

  Grey level 127.5 is the boundary, black lies `reach` inside it and white as
  far outside, in units in which the picture spans [-1, 1]^2. Rounding to 8 bits
  keeps the sign. Pixel centres are those of `coords.grid`.
  """

  def __init__(
    self,
    split: str,
    *,
    num_images: int,
    side: int = 178,
    seed: int = 0,
    reach: float = REACH,
  ):
    """Chooses a stream of random shapes.

    Args:
      split: "train", "validation" or "test", which share no shapes.
      num_images: how many images.
      side: P, in pixels. The same index shows the same shapes at any side.
      seed: of the shapes, at least 0.
      reach: above 0; less than `REACH` gives more contrast and truncates the
        distances beyond it.

    Raises:
      ValueError: for a value outside its range.
    """
    if side < 1:
      raise ValueError(f"side must be at least 1, got {side}.")
    if not reach > 0:
      raise ValueError(f"reach must be above 0, got {reach}.")
    self._stream = streams.Stream(split, num_images, seed)
    self._centres = -1 + (2 * np.arange(side) + 1) / side
    self._reach = reach

  def __len__(self) -> int:
    return self._stream.num_images

  def __getitem__(self, index: int) -> np.ndarray:
    """The picture `[P, P, 1]` uint8 at an index."""
    values = 0.5 + self.distances(index) / (2 * self._reach)
    return np.rint(255 * values.clip(0, 1)).astype(np.uint8)[..., np.newaxis]

  def shapes(self, index: int) -> tuple[Shape, ...]:
    """The shapes of the picture at an index."""
    return random_shapes(self._stream.generator(index))

  def distances(self, index: int) -> np.ndarray:
    """The distances `[P, P]` float64 behind the grey levels at an index."""
    return signed_distance(self.shapes(index), self._centres, self._centres)


def _circle(
  circle: Circle, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Distance to the circle `[H, W]` and whether inside; y is `[H, 1]`."""
  beyond = np.hypot(x - circle.centre[0], y - circle.centre[1]) - circle.radius
  return np.abs(beyond), beyond < 0


def _polygon(
  polygon: Polygon, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """As `_circle`: nearest segment, and parity of the crossings to the right."""
  squared = np.full((len(y), len(x)), np.inf)
  inside = np.zeros(squared.shape, bool)
  starts = polygon.vertices
  for start, end in zip(starts, np.roll(starts, -1, axis=0), strict=True):
    step = end - start
    right, down = x - start[0], y - start[1]
    # The foot of the perpendicular, no further than the ends; a segment of no
    # length is its start.
    toward = step / (step @ step or 1.0)
    along = right * toward[0] + down * toward[1]
    np.clip(along, 0, 1, out=along)
    across = (right - along * step[0]) ** 2 + (down - along * step[1]) ** 2
    np.minimum(squared, across, out=squared)
    # Half-open, so that a ray through a vertex counts it once.
    rows = ((start[1] <= y) != (end[1] <= y))[:, 0]
    crossings = start[0] + down[rows] * (step[0] / (step[1] or np.inf))
    inside[rows] ^= x < crossings
  return np.sqrt(squared), inside


def _random_circle(
  rng: np.random.Generator, centre: np.ndarray, radius: float
) -> Circle:
  del rng  # Its place and size say everything.
  return Circle(centre, radius)


def _random_box(
  rng: np.random.Generator, centre: np.ndarray, radius: float
) -> Polygon:
  turn, shape = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.35) * np.pi
  angles = turn + np.array([shape, np.pi - shape, np.pi + shape, -shape])
  return _around(centre, angles, np.full(4, radius))


def _random_star(
  rng: np.random.Generator, centre: np.ndarray, radius: float
) -> Polygon:
  count = 2 * rng.integers(3, 8)
  turn, notch = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.8)
  angles = turn + 2 * np.pi * np.arange(count) / count
  return _around(
    centre, angles, np.where(np.arange(count) % 2, notch * radius, radius)
  )


def _random_blob(
  rng: np.random.Generator, centre: np.ndarray, radius: float
) -> Polygon:
  count = rng.integers(4, 11)
  jitter = rng.uniform(-0.4, 0.4, count)
  angles = 2 * np.pi * (np.arange(count) + jitter) / count
  return _around(centre, angles, radius * rng.uniform(0.4, 1, count))


def _around(
  centre: np.ndarray, angles: np.ndarray, radii: np.ndarray
) -> Polygon:
  spokes = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
  return Polygon(centre + radii[:, np.newaxis] * spokes)
