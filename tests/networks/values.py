"""Parameters without the compilation that an initialiser costs."""

import math

import jax
import jax.numpy as jnp
import numpy as np


def filled(network, images):
  """`(params, state)`: random weights, norms of one and zero, empty state."""
  params, state = jax.eval_shape(network.init, jax.random.key(0), images)
  random = np.random.default_rng(0)

  def one(path, leaf):
    if path[-1].key == "scale":
      return np.ones(leaf.shape, np.float32)
    if path[-1].key == "offset":
      return np.zeros(leaf.shape, np.float32)
    values = random.normal(0, 1, leaf.shape)
    return (values / math.sqrt(max(math.prod(leaf.shape[:-1]), 1))).astype(
      np.float32
    )

  return (
    jax.tree_util.tree_map_with_path(one, params),
    jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), state),
  )


def normal(*shape):
  """Random images."""
  return jnp.asarray(np.random.default_rng(1).normal(size=shape), jnp.float32)
