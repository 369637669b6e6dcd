"""A hyperprior of a few channels, and two frames whose size needs padding."""

import jax
import jax.numpy as jnp
import numpy as np

from inrjax.meta import rate_distortion
from inrjax.networks import hyperprior

MODEL = rate_distortion.RateModel(
  hyperprior.make_hyperprior(hyperprior.HyperpriorConfig(3, 4, 2))
)
BETA = 0.01


def make_params():
  """Parameters at their start."""
  return jax.jit(MODEL.init)(jax.random.key(0))


def make_images():
  """Frames `[2, 37, 48, 3]` of coarse blocks."""
  rng = np.random.default_rng(0)
  coarse = rng.random((2, 5, 6, 3))
  return jnp.asarray(coarse.repeat(8, 1).repeat(8, 2)[:, :37], jnp.float32)


@jax.jit
def rounded_terms(params, images):
  """What the frames cost with rounded latents."""
  return MODEL.terms(None, params, MODEL.analyse(params, images), images)
