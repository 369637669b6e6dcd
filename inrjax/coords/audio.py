"""Sound as contexts: one coordinate, time, in a range wider than images'.

A SIREN meets far higher frequencies in a second of sound than in an image, so
the papers widen the coordinates: to [-5, 5] in COIN++ (thesis C.3.5), to
[-50, 50] in ECoP (A.1).
"""

from collections.abc import Callable

import jax.numpy as jnp

from inrjax.coords import grid
from inrjax.types import Array, Context

COINPP_RANGE = (-5.0, 5.0)
ECOP_RANGE = (-50.0, 50.0)


def audio_context(
  num_samples: int,
  *,
  low: float = COINPP_RANGE[0],
  high: float = COINPP_RANGE[1],
) -> Callable[[Array], Context]:
  """A function that turns sounds, or patches of them, into contexts.

  The range belongs to the model: whatever is decoded with it must use the same.
  A patch has the whole range to itself, as in COIN++.

  Args:
    num_samples: T, the number of points.
    low: start of the range of times.
    high: its end.

  Returns:
    A function of `[T]` or `[T, C]`, int16 or floating point in [-1, 1], to a
    context with coordinates `[T, 1]` and values in [0, 1]; silence is 1/2 (and
    2^-17 more in int16, whose range is not symmetric).
  """
  coords = jnp.asarray(grid.grid((num_samples,), low=low, high=high))

  def as_context(sound: Array) -> Context:
    if sound.ndim not in (1, 2) or sound.shape[0] != num_samples:
      raise ValueError(
        f"The sound is {'x'.join(map(str, sound.shape))}, the context was made "
        f"for {num_samples} samples, with or without channels."
      )
    values = jnp.asarray(sound).reshape(num_samples, -1)
    if values.dtype == jnp.int16:
      return Context(coords, (values.astype(jnp.float32) + 32768) / 65535)
    if not jnp.issubdtype(values.dtype, jnp.floating):
      raise ValueError(
        f"The sound is {values.dtype}; give int16, or floats in [-1, 1]."
      )
    return Context(coords, (values + 1) / 2)

  return as_context
