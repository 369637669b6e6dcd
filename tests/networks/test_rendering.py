"""Volume rendering against loops and scenes with a formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import coords
from inrjax.networks import rendering

RNG = np.random.default_rng(0)
COLOUR = jnp.array([0.9, 0.2, 0.1])
RADIUS = 0.7
composite = jax.jit(rendering.composite, static_argnames=("near", "far"))


def ball(density):
  """A solid ball of one colour around the origin."""

  def field(points, directions):
    del directions
    inside = jnp.sum(points**2, axis=1) < RADIUS**2
    colours = jnp.broadcast_to(COLOUR, (len(points), 3))
    return jnp.where(inside, density, 0.0), colours

  return field


def camera(side=9):
  pose = np.eye(4)
  pose[2, 3] = 3.0
  rays = coords.camera_rays(pose, height=side, width=side, focal=1.4 * side)
  return jnp.asarray(rays.reshape(-1, 6))


def chords(rays):
  """Length inside the ball of each ray, from its distance to the middle."""
  origins, directions = np.split(np.asarray(rays, np.float64), 2, axis=1)
  nearest = np.linalg.norm(np.cross(origins, directions), axis=1)
  return 2 * np.sqrt(np.maximum(RADIUS**2 - nearest**2, 0))


@pytest.mark.parametrize("density", [0.5, 3.0, 1e4])
def test_a_solid_ball_has_its_formula(density):
  # Fails if a sample's length, the order of blending or the background is
  # wrong: colour = c (1 - exp(-d s)) + background exp(-d s).
  rays, background = camera(), jnp.array([0.1, 0.5, 1.0])
  num_samples, near, far = 1000, 2.0, 4.0
  depths = rendering.middle_depths(
    len(rays), near=near, far=far, num_samples=num_samples
  )
  found = jax.jit(
    lambda rays: rendering.render(
      ball(density), rays, depths, near=near, far=far, background=background
    )
  )(rays)
  length = chords(rays)
  hidden = -np.expm1(-density * length)
  expected = hidden[:, None] * np.asarray(COLOUR) + (
    1 - hidden[:, None]
  ) * np.asarray(background)
  # Both ends of a chord are found to an interval.
  tolerance = 1e-4 + min(density, 3) * (far - near) / num_samples
  if density > 100:
    # Opaque but where a ray just touches.
    clear = (length == 0) | (length > 0.1)
    assert clear.sum() > 70
  else:
    clear = length >= 0
  np.testing.assert_allclose(
    found.colours[clear], expected[clear], atol=tolerance
  )
  np.testing.assert_allclose(
    found.opacities[clear], hidden[clear], atol=tolerance
  )
  assert length.max() > 1.39 and length.min() == 0
  np.testing.assert_allclose(found.depths[length == 0], far, rtol=1e-6)
  if density > 100:
    middle = len(rays) // 2
    np.testing.assert_allclose(found.depths[middle], 3 - RADIUS, atol=5e-3)


def test_compositing_is_a_loop():
  densities = RNG.exponential(2, (4, 5)).astype(np.float32)
  colours = RNG.random((4, 5, 3)).astype(np.float32)
  depths = np.sort(RNG.uniform(1, 3, (4, 5)).astype(np.float32), axis=1)
  found = composite(
    jnp.asarray(densities),
    jnp.asarray(colours),
    jnp.asarray(depths),
    near=1.0,
    far=3.0,
    background=0.25,
  )
  for r in range(4):
    light, colour, depth = 1.0, np.zeros(3), 0.0
    for s in range(5):
      alpha = 1 - np.exp(-densities[r, s] * 2 / 5)
      np.testing.assert_allclose(
        found.weights[r, s], light * alpha, rtol=1e-4, atol=1e-6
      )
      colour = colour + light * alpha * colours[r, s]
      depth += light * alpha * depths[r, s]
      light *= 1 - alpha
    np.testing.assert_allclose(
      found.colours[r], colour + light * 0.25, rtol=1e-5
    )
    np.testing.assert_allclose(found.depths[r], depth + light * 3, rtol=1e-5)
    np.testing.assert_allclose(found.opacities[r], 1 - light, rtol=1e-5)


@pytest.mark.parametrize("num_samples", [1, 7])
def test_a_homogeneous_scene_does_not_depend_on_the_samples(num_samples):
  # Fails if a sample stands for the way to the next one.
  depths = rendering.stratified_depths(
    jax.random.key(0), 3, near=1.0, far=2.5, num_samples=num_samples
  )
  found = composite(
    jnp.full((3, num_samples), 0.8),
    jnp.zeros((3, num_samples, 3)),
    depths,
    near=1.0,
    far=2.5,
  )
  np.testing.assert_allclose(found.colours, np.exp(-0.8 * 1.5), rtol=1e-5)


def test_depths_are_stratified():
  # Fails if two samples share an interval, or rays share their depths.
  depths = rendering.stratified_depths(
    jax.random.key(1), 200, near=2.0, far=6.0, num_samples=8
  )
  np.testing.assert_array_equal(
    np.floor((np.asarray(depths) - 2) / 0.5),
    np.broadcast_to(np.arange(8), (200, 8)),
  )
  assert len(np.unique(depths[:, 0])) > 190
  middles = rendering.middle_depths(2, near=2.0, far=6.0, num_samples=8)
  np.testing.assert_allclose(middles[1], np.arange(2.25, 6, 0.5))
  np.testing.assert_allclose(depths.mean(axis=0), middles[0], atol=0.05)


def test_gradients_are_finite_and_right():
  # Fails if nothing, or something opaque, makes a gradient that is no number.
  colours = jnp.asarray(RNG.random((3, 4, 3)))
  depths = rendering.middle_depths(3, near=1.0, far=2.0, num_samples=4)

  def brightness(densities):
    out = composite(densities, colours, depths, near=1.0, far=2.0)
    return out.colours.sum()

  densities = jnp.array([[0.0] * 4, [1e6] * 4, [0.5, 0, 1e5, 2]])
  gradient = jax.jit(jax.grad(brightness))
  assert np.isfinite(gradient(densities)).all()
  weights = composite(densities, colours, depths, near=1.0, far=2.0).weights
  np.testing.assert_allclose(weights[1], [1, 0, 0, 0])
  # Fails if an opaque sample makes those before it less precise.
  expected = np.array([1 - np.exp(-0.125), 0, np.exp(-0.125), 0])
  np.testing.assert_allclose(weights[2], expected, rtol=1e-5)
  densities = jnp.asarray(RNG.exponential(1, (3, 4)))
  found = gradient(densities)
  for place in ((0, 0), (1, 2), (2, 3)):
    up = brightness(densities.at[place].add(1e-2))
    down = brightness(densities.at[place].add(-1e-2))
    np.testing.assert_allclose(found[place], (up - down) / 2e-2, atol=2e-3)


def test_networks_become_fields():
  weights = jnp.asarray(RNG.normal(size=(3, 4)))
  field = rendering.radiance(lambda points: points @ weights, density_scale=5)
  densities, colours = field(jnp.eye(3), jnp.eye(3))
  np.testing.assert_allclose(
    densities, 5 * np.log1p(np.exp(weights[:, 0])), rtol=1e-5
  )
  np.testing.assert_allclose(
    colours, 1 / (1 + np.exp(-weights[:, 1:])), rtol=1e-5
  )


def test_impossible_intervals_are_refused():
  with pytest.raises(ValueError, match="near"):
    rendering.middle_depths(1, near=2.0, far=2.0, num_samples=3)
  with pytest.raises(ValueError, match="num_samples"):
    rendering.stratified_depths(
      jax.random.key(0), 1, near=0.0, far=2.0, num_samples=0
    )
  with pytest.raises(AssertionError):
    rendering.composite(
      jnp.ones((2, 3)), jnp.ones((2, 4, 3)), jnp.ones((2, 3)), near=1.0, far=2.0
    )
