"""Images as contexts."""

from collections.abc import Callable

import jax.numpy as jnp

from inrjax.coords import grid
from inrjax.types import Array, Context


def image_context(
  height: int, width: int, *, low: float = -1.0, high: float = 1.0
) -> Callable[[Array], Context]:
  """A function that turns one image of a fixed size into a context.

  Args:
    height: H.
    width: W.
    low: start of the coordinate range on both axes.
    high: its end.

  Returns:
    A function of `[H, W, C]`, uint8 or floating point in [0, 1], to a context
    of `N = H W` points.
  """
  coords = jnp.asarray(grid.grid((height, width), low=low, high=high))

  def as_context(image: Array) -> Context:
    if image.shape[:2] != (height, width):
      raise ValueError(
        f"The image is {image.shape[0]} x {image.shape[1]}, the context was "
        f"made for {height} x {width}."
      )
    values = image.reshape(height * width, -1)
    if values.dtype == jnp.uint8:
      values = values.astype(jnp.float32) / 255
    return Context(coords, values)

  return as_context
