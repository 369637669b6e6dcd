"""Volumes and voxel grids as contexts, on [0, 1]^3 as in MSCN's appendix A."""

from collections.abc import Callable

import jax.numpy as jnp

from inrjax.coords import grid
from inrjax.types import Array, Context

_TOPS = {"uint8": 255.0, "uint16": 65535.0}


def volume_context(
  depth: int,
  height: int,
  width: int,
  *,
  low: float = 0.0,
  high: float = 1.0,
) -> Callable[[Array], Context]:
  """A function that turns volumes, or blocks of them, into contexts.

  Args:
    depth: points on the first axis.
    height: on the second.
    width: on the third.
    low: start of the coordinate range on all three axes.
    high: its end.

  Returns:
    A function of `[depth, height, width]`, with a channel axis or not, to a
    context of `N = depth height width` points in row-major order. Occupancies
    (bool) become 0 and 1, uint8 and uint16 are scaled to [0, 1], and floating
    point is taken to be there already.
  """
  shape = (depth, height, width)
  coords = jnp.asarray(grid.grid(shape, low=low, high=high))

  def as_context(volume: Array) -> Context:
    if volume.ndim not in (3, 4) or volume.shape[:3] != shape:
      raise ValueError(
        f"The volume is {'x'.join(map(str, volume.shape))}, the context was "
        f"made for {'x'.join(map(str, shape))}, with or without channels."
      )
    values = jnp.asarray(volume).reshape(coords.shape[0], -1)
    if jnp.issubdtype(values.dtype, jnp.floating):
      return Context(coords, values)
    if values.dtype != bool and values.dtype.name not in _TOPS:
      raise ValueError(
        f"The volume is {values.dtype}, whose range is not known; scale it to "
        "floats in [0, 1] first."
      )
    top = _TOPS.get(values.dtype.name, 1.0)
    return Context(coords, values.astype(jnp.float32) / top)

  return as_context
