"""Colours of rays through a field of densities and colours, as in NeRF.

Mildenhall et al. (2020), eqs. (1) to (3): a field says how dense and of what
colour space is at a point, and a ray's colour is what its samples emit, each
dimmed by what lies before it. Everything is a pure function of arrays and can
be differentiated, so that a scene is fitted by the same inner loop as any
signal: a context's coordinates are rays, its values are pixels.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from inrjax.types import Array

# Points [N, 3] and directions [N, 3] to densities [N] and colours [N, C].
RadianceField = Callable[[Array, Array], tuple[Array, Array]]


class Rendered(NamedTuple):
  """What rays see.

  Attributes:
    colours: `[R, C]`, the background included.
    opacities: `[R]` in [0, 1], how much of the background is hidden.
    depths: `[R]` expected distance to what is seen, `far` where that is the
      background.
    weights: `[R, S]` share of each sample in its ray's colour.
  """

  colours: Array
  opacities: Array
  depths: Array
  weights: Array


def stratified_depths(
  key: Array, num_rays: int, *, near: float, far: float, num_samples: int
) -> Array:
  """One depth at random in each of S equal intervals (NeRF eq. 2).

  Args:
    key: of the depths, which differ from ray to ray.
    num_rays: R.
    near: where rays begin, in the scene's unit.
    far: where they end.
    num_samples: S.

  Returns:
    `[R, S]`, rising in each row.

  Raises:
    ValueError: for an empty interval, or no samples.
  """
  check_interval(near, far, num_samples)
  places = jax.random.uniform(key, (num_rays, num_samples))
  places = jnp.arange(num_samples)[jnp.newaxis] + places
  return near + (far - near) / num_samples * places


def middle_depths(
  num_rays: int, *, near: float, far: float, num_samples: int
) -> Array:
  """The middle of each of S equal intervals: for pictures without noise.

  Args:
    num_rays: R.
    near: where rays begin.
    far: where they end.
    num_samples: S.

  Returns:
    `[R, S]`, all rows alike.

  Raises:
    ValueError: for an empty interval, or no samples.
  """
  check_interval(near, far, num_samples)
  places = jnp.arange(num_samples) + 0.5
  depths = near + (far - near) / num_samples * places
  return jnp.broadcast_to(depths, (num_rays, num_samples))


def composite(
  densities: Array,
  colours: Array,
  depths: Array,
  *,
  near: float,
  far: float,
  background: Array | float = 1.0,
) -> Rendered:
  """Blends samples along rays from front to back (NeRF eq. 3).

  Differs from NeRF: a sample stands for its interval of length
  (far - near) / S, not for the way to the next sample. The optical depth of a
  ray is then an unbiased estimate for stratified depths, exact in a
  homogeneous scene, and what lies behind `far` is the background's alone,
  where NeRF makes the last sample opaque.

  Args:
    densities: `[R, S]`, at least 0, per unit of distance.
    colours: `[R, S, C]`.
    depths: `[R, S]` of the samples, one in each interval, rising.
    near: where rays begin.
    far: where they end.
    background: what is behind, `[C]` or one level; white is 1.

  Returns:
    The rays' colours.
  """
  chex.assert_rank([densities, depths, colours], [2, 2, 3])
  chex.assert_equal_shape([densities, depths])
  chex.assert_equal_shape_prefix([densities, colours], 2)
  num_samples = densities.shape[1]
  check_interval(near, far, num_samples)
  optical = densities * ((far - near) / num_samples)
  through = jnp.cumsum(optical, axis=1)
  # What lies before each sample. Not `through - optical`: where a sample is
  # opaque, that difference has lost the digits of what lies before.
  before = jnp.exp(-jnp.pad(through[:, :-1], ((0, 0), (1, 0))))
  weights = before * -jnp.expm1(-optical)
  left = jnp.exp(-through[:, -1])
  behind = jnp.broadcast_to(jnp.asarray(background), colours.shape[::2])
  seen = jnp.einsum("rs,rsc->rc", weights, colours)
  return Rendered(
    colours=seen + left[:, jnp.newaxis] * behind,
    opacities=1 - left,
    depths=jnp.sum(weights * depths, axis=1) + left * far,
    weights=weights,
  )


def render(
  field: RadianceField,
  rays: Array,
  depths: Array,
  *,
  near: float,
  far: float,
  background: Array | float = 1.0,
) -> Rendered:
  """Colours of rays through a field.

  Args:
    field: densities `[N]` and colours `[N, C]` at points `[N, 3]` seen along
      directions `[N, 3]`; see `radiance` for a network that knows no
      directions.
    rays: `[R, 6]` origin and direction of unit norm (`coords.camera_rays`).
    depths: `[R, S]`, from `stratified_depths` or `middle_depths`.
    near: where rays begin.
    far: where they end.
    background: what is behind, `[C]` or one level.

  Returns:
    The rays' colours. R S points are in memory at once: give rays in tiles
    where that is too many.
  """
  chex.assert_shape(rays, (None, 6))
  chex.assert_shape(depths, (rays.shape[0], None))
  origins, directions = rays[:, jnp.newaxis, :3], rays[:, jnp.newaxis, 3:]
  points = origins + depths[..., jnp.newaxis] * directions
  along = jnp.broadcast_to(directions, points.shape)
  densities, colours = field(points.reshape(-1, 3), along.reshape(-1, 3))
  chex.assert_shape(densities, (depths.size,))
  chex.assert_shape(colours, (depths.size, None))
  return composite(
    densities.reshape(depths.shape),
    colours.reshape(*depths.shape, -1),
    depths,
    near=near,
    far=far,
    background=background,
  )


def radiance(
  network: Callable[[Array], Array], *, density_scale: float = 1.0
) -> RadianceField:
  """A field out of a network from points to values.

  Density is the softplus of the first output, which unlike NeRF's rectifier has
  a gradient where space is still empty, and colours are the sigmoids of the
  others. Directions are not used, as in Functa.

  Args:
    network: `[N, 3]` points to `[N, 1 + C]`.
    density_scale: density of an output of about 1; larger for scenes that are
      small in their own unit.

  Returns:
    The field.
  """

  def field(points: Array, directions: Array) -> tuple[Array, Array]:
    del directions
    outputs = network(points)
    densities = density_scale * jax.nn.softplus(outputs[:, 0])
    return densities, jax.nn.sigmoid(outputs[:, 1:])

  return field


def check_interval(near: float, far: float, num_samples: int) -> None:
  """Raises ValueError unless 0 <= near < far and there are samples."""
  if not 0 <= near < far:
    raise ValueError(
      f"near must be at least 0 and below far, got {near} and {far}."
    )
  if num_samples < 1:
    raise ValueError(f"num_samples must be at least 1, got {num_samples}.")
