"""Signals some of whose values are missing, such as a sea's on land."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from inrjax.types import Array


class MaskedContext(NamedTuple):
  """A context some of whose values are missing.

  It goes wherever a context does: what is missing is in no loss and no score.

  Attributes:
    coords: `[N, D]` coordinates.
    values: `[N, C]` values; 0 where one is missing, never NaN.
    mask: `[N, C]`, 0 where a value is missing and above 0, and everywhere the
      same, where there is one.
  """

  coords: Array
  values: Array
  mask: Array


def masked_context(coords: Array, values: Array) -> MaskedContext:
  """The context of values of which some are NaN.

  Args:
    coords: `[N, D]`.
    values: `[N, C]` floating point, NaN where one is missing.

  Returns:
    The context, its mask 0 or 1.
  """
  mask = jnp.isfinite(values)
  return MaskedContext(
    coords, jnp.where(mask, values, 0), mask.astype(values.dtype)
  )


def balanced(context: Any) -> Any:
  """Scales a mask to the mean 1, so that `masked_squared_error` is that of all.

  Args:
    context: any; one without a mask stays as it is.

  Returns:
    The same points. A mean over them of what the mask multiplies is then one
    over the values that are there, also if it is put together of tiles' means.
  """
  if not isinstance(context, MaskedContext):
    return context
  share = context.mask.size / jnp.maximum(context.mask.sum(), 1e-9)
  # Of a context in which nothing is there, 0 stays 0.
  return context._replace(mask=share * context.mask)


def masked_squared_error(outputs: Array, context: MaskedContext) -> Array:
  """Mean of squared errors, weighted by the mask.

  Args:
    outputs: `[N, C]`, what the network gives at the coordinates.
    context: the signal. If it is `balanced`, the mean is over the values that
      are there.

  Returns:
    The mean `[]`, 0 if nothing is there; missing values have no gradient.
  """
  return jnp.mean(context.mask * jnp.square(outputs - context.values))
