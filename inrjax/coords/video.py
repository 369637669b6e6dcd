"""Videos as contexts: of voxels, or of whole frames."""

from collections.abc import Callable

import jax.numpy as jnp

from inrjax.coords import grid
from inrjax.types import Array, Context


def voxel_context(
  num_frames: int,
  height: int,
  width: int,
  *,
  low: float = -1.0,
  high: float = 1.0,
) -> Callable[[Array], Context]:
  """A function that turns clips of one size into contexts of voxels.

  Args:
    num_frames: T.
    height: H.
    width: W.
    low: start of the coordinate range on all three axes.
    high: its end.

  Returns:
    A function of `[T, H, W, C]`, uint8 or floating point in [0, 1], to a
    context of `N = T H W` points with coordinates (t, y, x).
  """
  shape = (num_frames, height, width)
  coords = jnp.asarray(grid.grid(shape, low=low, high=high))

  def as_context(clip: Array) -> Context:
    _check(clip, shape)
    return Context(coords, _scaled(clip).reshape(coords.shape[0], -1))

  return as_context


def frame_context(
  num_frames: int,
  height: int,
  width: int,
  *,
  low: float = -1.0,
  high: float = 1.0,
) -> Callable[[Array], Context]:
  """A function that turns clips of one size into contexts of frames.

  Args:
    num_frames: T, the number of points.
    height: H.
    width: W.
    low: start of the range of times.
    high: its end.

  Returns:
    A function of `[T, H, W, C]`, uint8 or floating point in [0, 1], to a
    context of coordinates `[T, 1]` and values `[T, H W C]`, channels last.
  """
  coords = jnp.asarray(grid.grid((num_frames,), low=low, high=high))

  def as_context(clip: Array) -> Context:
    _check(clip, (num_frames, height, width))
    return Context(coords, _scaled(clip).reshape(num_frames, -1))

  return as_context


def _check(clip: Array, shape: tuple[int, int, int]) -> None:
  if clip.ndim != 4 or clip.shape[:3] != shape:
    raise ValueError(
      f"The clip is {'x'.join(map(str, clip.shape))}, the context was made for "
      f"{'x'.join(map(str, shape))} and channels."
    )


def _scaled(clip: Array) -> Array:
  if clip.dtype == jnp.uint8:
    return clip.astype(jnp.float32) / 255
  return clip
