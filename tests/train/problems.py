"""Small training problems that the tests of this folder share."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from inrjax import data, train
from inrjax.train import leaves

BATCH_SIZE = 8
SGD = optax.sgd(0.5, momentum=0.9)
SOURCE = data.ArraySource(
  np.random.default_rng(0).integers(0, 256, (20, 3, 2, 3), np.uint8)
)


def linear_objective(key, params, carry, batch):
  """Linear autoencoding of images; carry counts and averages the loss."""
  del key
  x = batch.astype(jnp.float32).reshape(batch.shape[0], -1) / 255
  loss = jnp.mean((x @ params["w"] - x) ** 2)
  carry = {"mean": 0.9 * carry["mean"] + 0.1 * loss, "count": carry["count"]}
  return loss, ({"psnr": -10 * jnp.log10(loss)}, carry)


def noisy_objective(key, params, carry, batch):
  """The same with noise on the weights, so that keys matter."""
  noise = 0.01 * jax.random.normal(key, params["w"].shape)
  return linear_objective(None, {"w": params["w"] + noise}, carry, batch)


def linear_state(optimizer=SGD):
  """A state for either objective."""
  carry = {"mean": jnp.zeros(()), "count": jnp.zeros((), jnp.int32)}
  return train.init_state(
    jax.random.key(0), {"w": jnp.zeros((18, 18))}, optimizer, carry=carry
  )


def make_batches(seed=0):
  """Batches of random images."""
  return data.make_pipeline(SOURCE, batch_size=BATCH_SIZE, seed=seed)


def as_arrays(state):
  """Leaves in NumPy, typed keys as integers."""
  return [leaves.to_host(x) for x in jax.tree.leaves(state)]


def assert_same(one, other):
  """Equal to the bit."""
  assert jax.tree.structure(one) == jax.tree.structure(other)
  for a, b in zip(as_arrays(one), as_arrays(other), strict=True):
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)
