"""A Haiku network run at the widths of its parameters."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from inrjax.networks import widths


def forward(x):
  x = hk.Conv2D(4, 3, name="conv")(x)
  x = hk.Conv2DTranspose(5, 2, name="expand")(x)
  return hk.Linear(6, name="linear")(hk.Flatten()(x))


NETWORK = hk.without_apply_rng(hk.transform(forward))
IMAGES = jnp.ones((1, 2, 2, 3))


def test_every_layer_takes_its_width_from_its_weight():
  # Fails if one kind of layer is not resized, or inputs are taken for outputs.
  params = jax.tree.map(
    lambda leaf: np.full(leaf.shape, 0.1, np.float32),
    jax.eval_shape(NETWORK.init, jax.random.key(0), IMAGES),
  )
  assert params["expand"]["w"].shape == (2, 2, 5, 4)
  small = {
    "conv": {"w": jnp.ones((3, 3, 3, 2)), "b": jnp.ones(2)},
    "expand": {"w": jnp.ones((2, 2, 1, 2)), "b": jnp.ones(1)},
    "linear": {"w": jnp.ones((4, 3)), "b": jnp.ones(3)},
  }
  apply = widths.follow_widths(NETWORK.apply)
  # And at the widths of its own it is the same function.
  np.testing.assert_array_equal(
    jax.jit(apply)(params, IMAGES), jax.jit(NETWORK.apply)(params, IMAGES)
  )
  assert jax.jit(apply)(small, IMAGES).shape == (1, 3)


def test_initialisation_follows_too():
  small = {"conv": {"w": jnp.ones((3, 3, 3, 2))}}
  init = widths.at_widths(NETWORK.init, small)
  params = jax.eval_shape(init, jax.random.key(0), IMAGES)
  assert params["conv"]["b"].shape == (2,)
  assert params["expand"]["w"].shape == (2, 2, 5, 2)
