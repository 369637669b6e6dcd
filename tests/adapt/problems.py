"""Small inner problems that the tests of this folder share."""

import jax
import jax.numpy as jnp
import numpy as np

from inrjax import adapt, networks
from inrjax.networks import siren
from inrjax.types import Context

NETWORK = networks.make_siren(
  siren.SirenConfig(depth=3, width=6, w0=4.0, modulate=("shift",), latent_dim=3)
)
KEY = jax.random.key(0)


def partition():
  """A latent is fast, the rest is shared."""
  roles = NETWORK.roles(jax.eval_shape(NETWORK.init, KEY))
  return networks.make_partition(roles, ("modulation",))


def loss_fn(shared, fast, context):
  """Mean squared error of the network."""
  prediction = NETWORK.apply(partition().join(shared, fast), context.coords)
  return adapt.squared_error(prediction, context.values)


def problem(dtype=jnp.float32, num_points=7):
  """`(shared, fast, context)`, with fast parameters away from zero."""
  cast = lambda tree: jax.tree.map(lambda x: jnp.asarray(x, dtype), tree)  # noqa: E731
  with jax.enable_x64(False):  # The same numbers in either precision.
    shared, fast = partition().split(NETWORK.init(KEY))
  generator = np.random.default_rng(0)
  fast = jax.tree.map(lambda x: generator.normal(0, 0.1, x.shape), fast)
  context = Context(
    generator.uniform(-1, 1, (num_points, 2)),
    generator.uniform(0, 1, (num_points, 3)),
  )
  return cast(shared), cast(fast), cast(context)


def assert_close(one, other, **tolerance):
  """Trees close, and of one structure."""
  assert jax.tree.structure(one) == jax.tree.structure(other)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, **tolerance), one, other
  )
