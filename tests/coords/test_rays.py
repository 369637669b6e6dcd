"""Pinhole cameras."""

import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.coords import rays

TURN = np.array([[0.0, -1, 0, 2], [1, 0, 0, -3], [0, 0, 1, 5], [0, 0, 0, 1]])


@pytest.mark.parametrize("axes", [rays.OPENGL, rays.OPENCV], ids=["gl", "cv"])
def test_rays_hit_the_pixels_they_were_made_for(axes):
  # Fails if height and width, up and down, or pose and its inverse are swapped.
  found = rays.camera_rays(
    TURN, height=4, width=6, focal=(5.0, 7.0), centre=(2.5, 1.5), axes=axes
  )
  assert found.shape == (4, 6, 6) and found.dtype == np.float32
  np.testing.assert_allclose(np.linalg.norm(found[..., 3:], axis=-1), 1, 1e-6)
  for row in range(4):
    for column in range(6):
      origin, direction = np.split(found[row, column], 2)
      np.testing.assert_allclose(origin, TURN[:3, 3])
      world = np.append(origin + 3 * direction, 1.0)
      right, down, forward = (np.linalg.inv(TURN) @ world)[:3] * axes
      assert forward > 0
      np.testing.assert_allclose(5 * right / forward + 2.5, column + 0.5, 1e-5)
      np.testing.assert_allclose(7 * down / forward + 1.5, row + 0.5, 1e-5)


def test_the_middle_looks_along_the_axis():
  found = rays.camera_rays(np.eye(4), height=3, width=5, focal=2.0)
  np.testing.assert_allclose(found[1, 2, 3:], [0, 0, -1], atol=1e-7)
  assert found[0, 2, 4] > 0 > found[2, 2, 4]
  assert found[1, 0, 3] < 0 < found[1, 4, 3]


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (np.diag([2.0, 2, 2, 1]), "not rigid.*divide a scaled R"),
    (np.diag([-1.0, 1, 1, 1]), "mirrors"),
    (
      np.array([[1.0, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
      "not rigid",
    ),
    (TURN.T, "transposed"),
    (np.eye(4)[:3], "4, 4"),
    (np.full((4, 4), np.nan), "finite"),
  ],
  ids=["scaled", "mirrored", "sheared", "transposed", "short", "nan"],
)
def test_poses_that_are_not_rigid_are_refused(change, message):
  with pytest.raises(ValueError, match=message):
    rays.camera_rays(change, height=2, width=2, focal=1.0)


def test_impossible_cameras_are_refused():
  with pytest.raises(ValueError, match="positive"):
    rays.camera_rays(np.eye(4), height=2, width=2, focal=0.0)


def test_pictures_are_paired_with_their_rays():
  # Fails if rays and pixels are flattened in different orders.
  bundle = np.stack(
    [
      rays.camera_rays(pose, height=2, width=3, focal=2.0)
      for pose in (np.eye(4), TURN)
    ]
  )
  pictures = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 3), np.uint8)
  context = rays.view_context(bundle)(jnp.asarray(pictures))
  np.testing.assert_array_equal(context.coords[7], bundle[1, 0, 1])
  np.testing.assert_allclose(
    context.values[7], pictures[1, 0, 1] / 255, rtol=1e-6
  )
  with pytest.raises(ValueError, match="must be equal"):
    rays.view_context(bundle)(jnp.zeros((2, 3, 2, 3)))
  with pytest.raises(ValueError, match="6"):
    rays.view_context(bundle[..., :3])
