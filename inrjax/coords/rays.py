"""Rays of a pinhole camera, and posed views as contexts."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from inrjax.types import Array, Context

# Signs by which (right, down, forward) become the axes of a camera's frame:
# x right, y up, looking along -z (Blender's scenes, instant-ngp); or x right,
# y down, looking along z (SRN's cars).
OPENGL = (1.0, -1.0, -1.0)
OPENCV = (1.0, 1.0, 1.0)
# Poses in text files have six digits or more.
_TOLERANCE = 1e-3


def check_rigid(pose: np.ndarray, *, tolerance: float = _TOLERANCE) -> None:
  """Refuses a pose that is no rotation and translation.

  Args:
    pose: `[4, 4]` from the camera's frame to the world's.
    tolerance: largest deviation of an entry of R^T R from the identity.

  Raises:
    ValueError: with what is wrong and what to do.
  """
  pose = np.asarray(pose, np.float64)
  if pose.shape != (4, 4) or not np.isfinite(pose).all():
    raise ValueError(
      f"A pose is a finite [4, 4] matrix, got shape {pose.shape}; add the row "
      "0 0 0 1 to a [3, 4] one."
    )
  if np.abs(pose[3] - [0, 0, 0, 1]).max() > tolerance:
    raise ValueError(
      f"The last row of a pose is 0 0 0 1, got {pose[3]}; is it transposed?"
    )
  rotation = pose[:3, :3]
  gram = rotation.T @ rotation
  deviation = np.abs(gram - np.eye(3)).max()
  if deviation > tolerance:
    scale = np.sqrt(np.trace(gram) / 3)
    raise ValueError(
      f"The pose is not rigid: R^T R is {deviation:.3g} from the identity "
      f"(columns of length about {scale:.4g}); divide a scaled R by its scale, "
      "or give the matrix before shearing."
    )
  if np.linalg.det(rotation) < 0:
    raise ValueError(
      "The pose is not rigid: it mirrors (determinant -1); turn the sign of "
      "one of the camera's axes, or choose the other convention of axes."
    )


def camera_rays(
  pose: np.ndarray,
  *,
  height: int,
  width: int,
  focal: float | Sequence[float],
  centre: Sequence[float] | None = None,
  axes: Sequence[float] = OPENGL,
) -> np.ndarray:
  """The ray through the middle of each pixel.

  Differs from NeRF: directions have unit norm, so that depth along a ray is
  distance, and rays go through pixels' middles, not their corners.

  Args:
    pose: `[4, 4]` from the camera's frame to the world's, rigid.
    height: H in pixels.
    width: W in pixels.
    focal: focal length in pixels, or one for x and one for y.
    centre: where the axis meets the picture, (x, y) in pixels from the corner;
      its middle by default.
    axes: the camera's convention, `OPENGL` or `OPENCV`.

  Returns:
    `[H, W, 6]` float32: origin, then direction.

  Raises:
    ValueError: for a pose that is not rigid, an empty picture, or a focal
      length that is not positive.
  """
  check_rigid(pose)
  focals = np.broadcast_to(np.asarray(focal, np.float64), (2,))
  if min(height, width) < 1 or not (focals > 0).all():
    raise ValueError(
      "height, width and focal must be positive, got "
      f"{height}, {width} and {focal}."
    )
  middle = (width / 2, height / 2) if centre is None else centre
  right = (np.arange(width) + 0.5 - middle[0]) / focals[0]
  down = (np.arange(height) + 0.5 - middle[1]) / focals[1]
  right, down = np.meshgrid(right, down)
  local = np.stack([right, down, np.ones_like(right)], axis=-1)
  pose = np.asarray(pose, np.float64)
  directions = (local * np.asarray(axes)) @ pose[:3, :3].T
  directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
  origins = np.broadcast_to(pose[:3, 3], directions.shape)
  return np.concatenate([origins, directions], axis=-1).astype(np.float32)


def view_context(rays: np.ndarray) -> Callable[[Array], Context]:
  """A function that pairs pictures with the rays they were taken along.

  Args:
    rays: `[..., 6]`, of one view or of several.

  Returns:
    A function of `[..., C]`, uint8 or floating point in [0, 1], to a context
    with one point per ray: its coordinates `[N, 6]` are the ray, which
    `networks.rendering` turns into a colour.
  """
  if rays.ndim < 2 or rays.shape[-1] != 6:
    raise ValueError(f"rays must be [..., 6], got {rays.shape}.")
  coords = jnp.asarray(rays.reshape(-1, 6))

  def as_context(pictures: Array) -> Context:
    if pictures.shape[:-1] != rays.shape[:-1]:
      raise ValueError(
        f"The pictures are {'x'.join(map(str, pictures.shape))}, the rays "
        f"{'x'.join(map(str, rays.shape))}; all but the last must be equal."
      )
    values = jnp.asarray(pictures).reshape(coords.shape[0], -1)
    if values.dtype == jnp.uint8:
      values = values.astype(jnp.float32) / 255
    return Context(coords, values)

  return as_context
