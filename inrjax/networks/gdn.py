"""Generalised divisive normalisation and its approximate inverse.

Every channel is divided (GDN), or multiplied (IGDN), by a norm that is pooled
over all channels of its position,

  u_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2)

(Ballé, Laparra & Simoncelli, 2016). Both parameters must not become negative:
what is learned is their square root, so that no update, rounded or not, of the
stored values can leave the range.

Differs from the paper: Ballé et al. clip the stored root from below and change
the gradient of the clipping. The square alone has the same range and is smooth,
hence can be differentiated to any order in any mode, which adapting in an inner
loop asks for.
"""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from inrjax.types import Array

# beta is at least this, so that nothing is divided by zero.
_SMALLEST_BETA = 1e-6
_INITIAL_GAMMA = 0.1
# Root of the entries of gamma that begin at zero. At zero itself the derivative
# of the square vanishes, and they would stay there.
_OFFSET = 2.0**-18


def gdn(x: Array, *, name: str) -> Array:
  """Divides by the pooled norm.

  Args:
    x: `[..., C]` features.
    name: of the Haiku module, whose parameters are `beta` `[C]` and `gamma`
      `[C, C]` (from channel j, to channel i), both as square roots.

  Returns:
    `[..., C]`, the same dtype.
  """
  return x * jax.lax.rsqrt(_Pool(name=name)(x))


def igdn(x: Array, *, name: str) -> Array:
  """Multiplies by the pooled norm; arguments as for `gdn`."""
  return x * jnp.sqrt(_Pool(name=name)(x))


class _Pool(hk.Module):
  """`beta_i + sum_j gamma_ij x_j^2`, positive."""

  def __call__(self, x: Array) -> Array:
    channels = x.shape[-1]
    root_beta = hk.get_parameter(
      "beta", (channels,), x.dtype, hk.initializers.Constant(1.0)
    )
    root_gamma = hk.get_parameter(
      "gamma", (channels, channels), x.dtype, _initial_gamma
    )
    squares = jnp.square(x).reshape(-1, channels)
    pooled = (squares @ jnp.square(root_gamma)).reshape(x.shape)
    beta = _SMALLEST_BETA + jnp.square(root_beta)
    return pooled + beta.reshape((1,) * (x.ndim - 1) + (channels,))


def _initial_gamma(shape: tuple[int, ...], dtype: np.dtype) -> Array:
  """Roots of a tenth of the identity."""
  roots = np.full(shape, _OFFSET)
  np.fill_diagonal(roots, np.sqrt(_INITIAL_GAMMA))
  return jnp.asarray(roots, dtype)
