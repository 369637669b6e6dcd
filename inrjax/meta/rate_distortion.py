"""The rate-distortion objective of a hyperprior codec.

  L_RD = beta R + D                       (van Rozendaal et al., 2021, eq. 1)

with R in bits per pixel and D the mean squared error of values in [0, 1]. In
training R sees latents with uniform noise and D rounded ones, through which
gradients pass unchanged (appendix C); where both see rounded latents, R is what
a file takes.

Both hyper-synthesis and synthesis read rounded latents, as in a decoder.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from inrjax.meta import objectives
from inrjax.networks import hyperprior
from inrjax.quantize import rate_models
from inrjax.types import Array, Metrics, PyTree


class Latents(NamedTuple):
  """What an encoder makes of images, before rounding.

  Attributes:
    latents: `[B, H / 16, W / 16, M]`, y.
    hyper: `[B, H / 64, W / 64, K]`, z.
  """

  latents: Array
  hyper: Array


class Terms(NamedTuple):
  """What images cost, each number a mean over their pixels.

  Attributes:
    distortion: `[]` mean squared error of values in [0, 1].
    latent_rate: `[]` bits per pixel of the latents.
    hyper_rate: `[]` bits per pixel of the hyper-latents.
  """

  distortion: Array
  latent_rate: Array
  hyper_rate: Array

  @property
  def rate(self) -> Array:
    """R, `[]` bits per pixel."""
    return self.latent_rate + self.hyper_rate


class RateModel(NamedTuple):
  """A network and what its latents cost.

  Attributes:
    network: the four networks.
    grid: range of the scales.
  """

  network: hyperprior.Hyperprior
  grid: rate_models.ScaleGrid = rate_models.DEFAULT_GRID

  def init(self, key: Array) -> PyTree:
    """All parameters, by part: the four networks' and `prior`."""
    network_key, prior_key = jax.random.split(key)
    params = self.network.init(network_key)
    channels = self.network.config.hyper_channels
    params["prior"] = rate_models.init_factorized(prior_key, channels)
    return params

  def analyse(self, params: PyTree, images: Array) -> Latents:
    """Latents of images.

    Args:
      params: with the parts of the transmitter.
      images: `[B, H, W, C]`, of any size, in [0, 1].

    Returns:
      The latents of the padded images.
    """
    padded = hyperprior.pad(images)
    y = self.network.analysis.apply(params["analysis"], padded)
    z = self.network.hyper_analysis.apply(params["hyper_analysis"], y)
    return Latents(y, z)

  def terms(
    self, key: Array | None, params: PyTree, latents: Latents, images: Array
  ) -> Terms:
    """Rate and distortion.

    Args:
      key: of the noise that the rate sees; None for rounding.
      params: with the parts of the receiver.
      latents: as `analyse` gives them, or optimised directly.
      images: `[B, H, W, C]`, before padding.

    Returns:
      The terms, per pixel of the images without padding.
    """
    y, z = latents
    z_rounded = rate_models.rounded(z, jnp.zeros_like(z))
    predicted = self.network.hyper_synthesis.apply(
      params["hyper_synthesis"], z_rounded
    )
    means, log_scales = hyperprior.split_moments(predicted)
    y_rounded = rate_models.rounded(y, means)
    y_rated, z_rated = y_rounded, z_rounded
    if key is not None:
      y_key, z_key = jax.random.split(key)
      y_rated = rate_models.noisy(y_key, y)
      z_rated = rate_models.noisy(z_key, z)
    latent_bits = rate_models.gaussian_bits(
      y_rated - means, self.grid.scales(log_scales)
    )
    hyper_bits = rate_models.factorized_bits(params["prior"], z_rated)
    decoded = self.network.synthesis.apply(params["synthesis"], y_rounded)
    decoded = hyperprior.crop(decoded, *images.shape[1:3])
    num_pixels = images.shape[0] * images.shape[1] * images.shape[2]
    return Terms(
      jnp.mean(jnp.square(decoded - images)),
      latent_bits.sum() / num_pixels,
      hyper_bits.sum() / num_pixels,
    )


def check_beta(beta: float) -> None:
  """Raises ValueError unless the weight of the rate is positive."""
  if not 0 < beta < float("inf"):
    raise ValueError(
      f"beta, the weight of the rate, must be positive, got {beta}; the paper "
      "has 3e-3, 1e-3, 2.5e-4 and 1e-4."
    )


def metrics(terms: Terms) -> Metrics:
  """The terms by name, and the PSNR of the mean error."""
  return {
    "mse": terms.distortion,
    "psnr": -10 * jnp.log10(terms.distortion),
    "rate": terms.rate,
    "latent_rate": terms.latent_rate,
    "hyper_rate": terms.hyper_rate,
  }


def rate_distortion(
  model: RateModel, as_images: Callable[[PyTree], Array], *, beta: float
) -> objectives.Objective:
  """Eq. 1 as an outer objective: global training.

  Args:
    model: network and rate model; the objective's parameters are those of
      `RateModel.init`.
    as_images: turns a batch into images `[B, H, W, C]` in [0, 1].
    beta: weight of the rate.

  Raises:
    ValueError: for a beta that is not positive.
  """
  check_beta(beta)

  def objective(
    key: Array, params: PyTree, carry: PyTree, batch: PyTree
  ) -> tuple[Array, tuple[Metrics, PyTree]]:
    images = as_images(batch)
    terms = model.terms(key, params, model.analyse(params, images), images)
    loss = beta * terms.rate + terms.distortion
    return loss, (metrics(terms), carry)

  return objective
