"""A network of points in space as a network of rays.

So that scenes need no inner loop, objective or codec of their own: coordinates
are rays, values are pixels (`coords.view_context`), and what is adapted to the
views of a new scene renders novel ones.
"""

import chex
import jax.numpy as jnp

from inrjax.networks import network as network_lib
from inrjax.networks import rendering
from inrjax.types import Array, PyTree


def make_scene(
  network: network_lib.Network,
  *,
  near: float,
  far: float,
  num_samples: int,
  background: float = 1.0,
  density_scale: float = 1.0,
  point_scale: float = 1.0,
) -> network_lib.Network:
  """Renders a network from points to density and colours.

  Args:
    network: `[N, 3]` points to `[N, 1 + C]`, see `rendering.radiance`.
    near: where rays begin, in the scene's unit (Functa's for SRN's cars: 0.8).
    far: where they end (1.8).
    num_samples: S on each ray, where rays do not bring their own depths.
    background: level behind the scene; white is 1.
    density_scale: see `rendering.radiance`.
    point_scale: points are multiplied by it before they reach the network, to
      bring the scene to about [-1, 1]^3.

  Returns:
    A network with the same parameters from rays to colours `[N, C]`. Rays are
    `[N, 6]`, sampled at the middles of S intervals, or `[N, 6 + S]` with depths
    of their own (`with_depths`).

  Raises:
    ValueError: for an empty interval, no samples, or scales that are not
      positive.
  """
  if min(density_scale, point_scale) <= 0:
    raise ValueError(
      "density_scale and point_scale must be positive, got "
      f"{density_scale} and {point_scale}."
    )
  rendering.check_interval(near, far, num_samples)

  def apply(params: PyTree, rays: Array) -> Array:
    chex.assert_rank(rays, 2)
    depths = rays[:, 6:]
    if not depths.shape[1]:
      depths = rendering.middle_depths(
        len(rays), near=near, far=far, num_samples=num_samples
      )
    field = rendering.radiance(
      lambda points: network.apply(params, point_scale * points),
      density_scale=density_scale,
    )
    rendered = rendering.render(
      field, rays[:, :6], depths, near=near, far=far, background=background
    )
    return rendered.colours

  def features(params: PyTree, rays: Array) -> Array:
    raise ValueError(
      "A rendered network has no last hidden layer for each ray; take that of "
      "the network of points."
    )

  return network_lib.Network(network.init, apply, features, network.roles)


def with_depths(
  key: Array, rays: Array, *, near: float, far: float, num_samples: int
) -> Array:
  """Rays with depths at random, one in each interval (NeRF eq. 2).

  For training: the same rays with new depths at each step see all of space.

  Args:
    key: of the depths.
    rays: `[N, 6]`.
    near: where rays begin.
    far: where they end.
    num_samples: S.

  Returns:
    `[N, 6 + S]`.
  """
  chex.assert_shape(rays, (None, 6))
  depths = rendering.stratified_depths(
    key, len(rays), near=near, far=far, num_samples=num_samples
  )
  return jnp.concatenate([rays, depths.astype(rays.dtype)], axis=1)
