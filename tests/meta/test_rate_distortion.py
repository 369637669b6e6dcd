"""The rate-distortion objective, on a network of a few channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.meta import rate_distortion
from inrjax.quantize import rate_models
from tests.meta import adaptive_problem
from tests.meta.adaptive_problem import BETA, MODEL


@pytest.fixture(scope="module")
def params():
  return adaptive_problem.make_params()


@pytest.fixture(scope="module")
def images():
  return adaptive_problem.make_images()


@pytest.fixture(scope="module")
def rounded_terms(params, images):
  return adaptive_problem.rounded_terms(params, images)


def test_terms_are_per_pixel(params, images, rounded_terms):
  @jax.jit
  def by_hand(params):
    y, z = MODEL.analyse(params, images)
    z = jnp.round(z)
    moments = MODEL.network.hyper_synthesis.apply(params["hyper_synthesis"], z)
    means, log_scales = moments[..., :4], moments[..., 4:]
    residuals = jnp.round(y - means)
    decoded = MODEL.network.synthesis.apply(
      params["synthesis"], residuals + means
    )[:, :37, :48]
    return (
      jnp.mean((decoded - images) ** 2),
      rate_models.gaussian_bits(residuals, 2**log_scales).sum(),
      rate_models.factorized_bits(params["prior"], z).sum(),
    )

  mse, latent_bits, hyper_bits = by_hand(params)
  num_pixels = 2 * 37 * 48
  # Fails if padding counts as pixels, or a mean is forgotten.
  np.testing.assert_allclose(rounded_terms.distortion, mse, rtol=1e-4)
  np.testing.assert_allclose(
    rounded_terms.latent_rate, latent_bits / num_pixels, rtol=1e-3
  )
  np.testing.assert_allclose(
    rounded_terms.hyper_rate, hyper_bits / num_pixels, rtol=1e-3
  )
  assert rounded_terms.rate > 0


def test_training_reaches_every_parameter(params, images):
  objective = rate_distortion.rate_distortion(
    MODEL, lambda batch: batch, beta=BETA
  )
  (loss, (found, _)), grads = jax.jit(
    jax.value_and_grad(objective, argnums=1, has_aux=True)
  )(jax.random.key(1), params, (), images)
  np.testing.assert_allclose(
    loss, BETA * found["rate"] + found["mse"], rtol=1e-5
  )
  # Fails if rounding stops the gradient of a part.
  for name, tree in grads.items():
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))
    assert any(np.any(leaf) for leaf in jax.tree.leaves(tree)), name
  with pytest.raises(ValueError, match="beta"):
    rate_distortion.rate_distortion(MODEL, lambda batch: batch, beta=0.0)
