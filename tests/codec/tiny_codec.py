"""An untrained codec, small enough to fit and run within a test."""

import jax
import numpy as np
from scipy import ndimage

from inrjax import codec
from inrjax.meta import recipes
from inrjax.networks import siren

SIDE = 8


def picture(
  height: int, width: int, channels: int = 3, seed: int = 0
) -> np.ndarray:
  """A smooth image `[H, W, C]` uint8 over the whole range."""
  rng = np.random.default_rng(seed)
  noise = rng.standard_normal((height, width, channels))
  smooth = ndimage.gaussian_filter(noise, (2, 2, 0), mode="wrap")
  smooth -= smooth.min()
  return np.rint(255 * smooth / max(smooth.max(), 1e-6)).astype(np.uint8)


def make(channels: int = 3, seed: int = 0) -> codec.ImageCodec:
  """A codec with random weights; it decodes coarsely, but all of it is real."""
  spec = codec.ModulatedSpec(
    network=siren.SirenConfig(
      depth=2,
      width=16,
      w0=10.0,
      out_dim=channels,
      modulate=("shift",),
      latent_dim=6,
    ),
    rates=recipes.InnerRates(0.1, 0.1),
    num_steps=3,
    side=SIDE,
  )
  outer = jax.jit(spec.method().init)(jax.random.key(seed))
  pictures = [picture(32, 40, channels, seed=s) for s in range(6)]
  return codec.fit_codec(spec, outer, pictures, context_steps=20)
