"""Scenes as networks of rays."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax import coords
from inrjax.networks import network, rendering, scene, siren

CONFIG = siren.SirenConfig(in_dim=3, out_dim=4, width=16, depth=3)
INTERVAL = {"near": 2.0, "far": 4.0, "num_samples": 8}


def views():
  """Rays of two cameras, and an orange ball on white."""
  rays = []
  for angle in (0.0, 0.8):
    c, s = np.cos(angle), np.sin(angle)
    pose = np.array(
      [[c, 0, s, 3 * s], [0, 1, 0, 0], [-s, 0, c, 3 * c], [0, 0, 0, 1]]
    )
    rays.append(coords.camera_rays(pose, height=8, width=8, focal=10.0))
  bundle = np.stack(rays)
  origins, directions = bundle[..., :3], bundle[..., 3:]
  nearest = np.linalg.norm(np.cross(origins, directions), axis=-1)
  orange = np.array([1.0, 0.5, 0.1], np.float32)
  pictures = np.where(nearest[..., None] < 0.6, orange, np.float32(1))
  return coords.view_context(bundle)(jnp.asarray(pictures))


@pytest.fixture(scope="module")
def made():
  plain = network.make_siren(CONFIG)
  return plain, scene.make_scene(plain, **INTERVAL, point_scale=0.7)


def test_a_scene_is_the_network_rendered(made):
  # Fails if points are not scaled, or depths that rays bring are not used.
  plain, rendered = made
  context = views()

  @jax.jit
  def compare(key):
    params = rendered.init(key)
    rays = scene.with_depths(key, context.coords, **INTERVAL)
    expected = rendering.render(
      rendering.radiance(lambda points: plain.apply(params, 0.7 * points)),
      context.coords,
      rays[:, 6:],
      near=2.0,
      far=4.0,
    ).colours
    middle = rendered.apply(params, context.coords)
    return params, rays, expected, rendered.apply(params, rays), middle

  params, rays, expected, found, middle = compare(jax.random.key(0))
  assert rays.shape == (128, 14)
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert middle.shape == (128, 3) and not np.allclose(middle, found, rtol=1e-5)
  assert rendered.roles(params) == plain.roles(params)
  with pytest.raises(ValueError, match="network of points"):
    rendered.features(params, rays)


def test_a_scene_is_learned_from_its_views(made):
  # Fails if gradients do not reach the network, or are of the wrong sign.
  _, rendered = made
  context = views()

  def loss_fn(params):
    error = rendered.apply(params, context.coords) - context.values
    return jnp.mean(error**2)

  optimizer = optax.adam(3e-3)

  @jax.jit
  def fit(params):
    def step(carry, _):
      params, state = carry
      loss, gradient = jax.value_and_grad(loss_fn)(params)
      updates, state = optimizer.update(gradient, state)
      return (optax.apply_updates(params, updates), state), loss

    start = (params, optimizer.init(params))
    return jax.lax.scan(step, start, length=60)[1]

  losses = fit(rendered.init(jax.random.key(0)))
  assert losses[-1] < 0.3 * losses[0]


def test_impossible_scenes_are_refused(made):
  plain, _ = made
  with pytest.raises(ValueError, match="near"):
    scene.make_scene(plain, near=2.0, far=1.0, num_samples=4)
  with pytest.raises(ValueError, match="point_scale"):
    scene.make_scene(plain, **INTERVAL, point_scale=0.0)
