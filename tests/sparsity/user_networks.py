"""Networks as a user would write them, which the library has never seen."""

import math

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np


def mlp(x, is_training):
  """Sigmoid and softplus: a removed unit's activation is not zero."""
  x = jax.nn.sigmoid(hk.Linear(6, name="one")(x))
  x = jax.nn.softplus(hk.Linear(5, name="two")(x)) + 1.0
  return jax.nn.log_softmax(hk.Linear(3, name="last")(x))


class Excited(hk.Module):
  """A gate for each channel, from a small network of their means."""

  def __call__(self, x):
    gate = hk.Linear(4, name="squeeze")(x.mean((1, 2)))
    gate = hk.Linear(x.shape[-1], name="excite")(jax.nn.relu(gate))
    return x * jax.nn.sigmoid(gate)[:, None, None, :]


def mixed(x, is_training):
  """Depthwise, gated, dense, split, residual, and flattened channels."""
  x = jax.nn.gelu(hk.Conv2D(6, 3, name="stem")(x))
  y = hk.DepthwiseConv2D(2, 3, name="depthwise")(x)
  y = hk.BatchNorm(True, True, 0.9, name="norm")(y, is_training)
  y = Excited(name="excited")(jax.nn.swish(y))
  a, b = jnp.split(hk.Conv2D(8, 1, name="two_halves")(y), 2, axis=-1)
  y = a * jax.nn.sigmoid(b)
  dense = jnp.concatenate([x, y], axis=-1)
  pooled = hk.avg_pool(dense, (3, 3, 1), 1, "SAME")
  z = hk.Conv2D(10, 1, with_bias=False, name="tied")(pooled)
  z = jnp.maximum(z + dense, -1.0)
  z = hk.max_pool(z, (2, 2, 1), (2, 2, 1), "VALID")
  z = jnp.transpose(z, (0, 3, 1, 2)).reshape(z.shape[0], -1)
  scale = hk.get_parameter("scale", (z.shape[-1],), init=jnp.ones)
  return hk.nets.MLP([7, 3], activation=jnp.tanh, name="head")(z * scale[None])


def sequence(x, is_training):
  """One-dimensional convolutions, channels first, with a low-rank layer."""
  x = x.reshape(x.shape[0], x.shape[1], -1)
  x = jnp.swapaxes(x, 1, 2)
  x = hk.Conv1D(5, 3, data_format="NCW", name="first")(x)
  x = hk.BatchNorm(False, False, 0.9, data_format="NC...", name="norm")(
    x, is_training
  )
  x = hk.Conv1D(4, 3, stride=2, data_format="NCW", name="second")(jnp.tanh(x))
  return hk.Linear(3, name="last")(jax.nn.relu(x).reshape(x.shape[0], -1))


def haiku_resnet(x, is_training):
  """Haiku's own, pre-activation."""
  net = hk.nets.ResNet(
    (1, 1, 1, 1),
    3,
    bottleneck=False,
    channels_per_group=(4, 4, 4, 6),
    resnet_v2=True,
  )
  return net(x, is_training)


def make(forward, *, shape=(2, 8, 8, 3)):
  """`(apply, init, params, state, images)`; no value of them is special."""
  net = hk.without_apply_rng(hk.transform_with_state(forward))
  key = jax.random.key(0)
  images = jax.ShapeDtypeStruct(shape, jnp.float32)
  params, state = jax.eval_shape(lambda x: net.init(key, x, True), images)
  random = np.random.default_rng(0)

  def uniform(leaf):
    if jnp.issubdtype(leaf.dtype, jnp.integer):
      return np.ones(leaf.shape, leaf.dtype)
    return random.uniform(0.5, 1.5, leaf.shape).astype(leaf.dtype)

  def normal(leaf):
    fan_in = max(math.prod(leaf.shape[:-1]), 1)
    values = random.normal(0, 1, leaf.shape) / math.sqrt(fan_in)
    return values.astype(leaf.dtype)

  return (
    net.apply,
    net.init,
    jax.tree.map(normal, params),
    jax.tree.map(uniform, state),
    normal(images),
  )
