"""Leaves of a state as plain arrays on the host, and back.

A typed random key is no array of numbers to NumPy; its integers are.
"""

import jax
import jax.numpy as jnp
import numpy as np

from inrjax import types


def to_host(leaf: types.Array) -> np.ndarray:
  """The numbers of a leaf; of a typed key, the integers it is made of.

  Args:
    leaf: any array, or a Python number.

  Returns:
    The same in host memory.
  """
  return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def from_host(
  numbers: np.ndarray | types.Array, like: types.Array
) -> types.Array:
  """Undoes `to_host`.

  Args:
    numbers: what it gave, perhaps with leading axes added.
    like: a leaf of the kind to make.

  Returns:
    An array, or typed keys where `like` is one.
  """
  array = jnp.asarray(numbers)
  if _is_key(like):
    return jax.random.wrap_key_data(array, impl=jax.random.key_impl(like))
  return array


def _is_key(leaf: types.Array) -> bool:
  return jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
