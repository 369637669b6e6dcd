"""Adaptation to a clip as an inner loop, on a network of a few channels."""

import jax
import numpy as np
import pytest

from inrjax.adapt import gradient, links, loop
from inrjax.coords import select, video
from inrjax.meta import instance_adaptive
from inrjax.networks import hyperprior
from inrjax.quantize import spike_and_slab as sas
from tests.meta import adaptive_problem
from tests.meta.adaptive_problem import BETA, MODEL

PRIOR = sas.SpikeAndSlab()


@pytest.fixture(scope="module")
def params():
  return adaptive_problem.make_params()


@pytest.fixture(scope="module")
def images():
  return adaptive_problem.make_images()


@pytest.fixture(scope="module")
def rounded_terms(params, images):
  return adaptive_problem.rounded_terms(params, images)


def _context(images):
  num, height, width, _ = images.shape
  return video.frame_context(num, height, width)(images)


def _loss(images, **options):
  return instance_adaptive.rdm_loss(
    MODEL,
    beta=BETA,
    frame_shape=images.shape[1:],
    num_pixels=images[..., 0].size,
    prior=PRIOR,
    **options,
  )


@pytest.fixture(scope="module")
def measure(params, images):
  return jax.jit(
    lambda fast: instance_adaptive.measure(
      MODEL, params, fast, images, prior=PRIOR
    )
  )


def test_nothing_changed_is_the_global_model(params, measure, rounded_terms):
  fast = instance_adaptive.full_model(params)
  found = measure(fast)
  # Fails if a start is anything but the global model, or M_0 is not its cost.
  np.testing.assert_allclose(found["rate"], rounded_terms.rate, rtol=1e-5)
  np.testing.assert_allclose(found["mse"], rounded_terms.distortion, rtol=1e-5)
  np.testing.assert_allclose(found["model_bits"], found["zero_bits"], rtol=1e-4)
  num = hyperprior.num_parameters(fast["delta"])
  assert float(found["zero_bits"]) == pytest.approx(0.00528 * num, rel=1e-2)


@pytest.fixture(scope="module")
def fitted(params, images):
  """A few steps of full-model adaptation."""
  adapt = loop.make_adapt(
    _loss(images),
    links.adam(3e-3),
    num_steps=25,
    gradient=gradient.first_order,
    select=instance_adaptive.seeded(select.random_points(1)),
  )
  fast = instance_adaptive.full_model(params)
  return jax.jit(adapt)(jax.random.key(2), params, fast, {}, _context(images))


def test_adaptation_is_an_inner_loop(images, fitted, measure, rounded_terms):
  start = BETA * rounded_terms.rate + rounded_terms.distortion
  # Fails if nothing is learned, or the last loss still has noise in it.
  assert fitted.losses[-1] < 0.9 * start
  found = measure(fitted.fast)
  continuous = sas.total_bits(sas.continuous_bits, PRIOR, fitted.fast["delta"])
  expected = found["mse"] + BETA * (
    found["rate"] + continuous / images[..., 0].size
  )
  np.testing.assert_allclose(fitted.losses[-1], expected, rtol=1e-4)
  assert found["model_bits"] > found["zero_bits"]


def test_cases_of_figure_2c(params, images, fitted):
  """Each argument changes the loss by its own term and nothing else."""
  fast = fitted.fast
  context = _context(images)
  cases = {
    "I": {},
    "II": {"quantize_fn": instance_adaptive.unquantized},
    "III": {"rate_fn": None},
    "IV": {"rate_fn": None, "quantize_fn": instance_adaptive.unquantized},
  }
  loss_fns = {n: _loss(images, **options) for n, options in cases.items()}
  losses = jax.jit(
    lambda fast: {n: fn(params, fast, context) for n, fn in loss_fns.items()}
  )(fast)
  losses = jax.tree.map(float, losses)
  bits = float(instance_adaptive.model_bits(sas.continuous_bits, PRIOR, fast))
  rate = BETA * bits / images[..., 0].size
  assert losses["I"] - losses["III"] == pytest.approx(rate, rel=1e-2)
  assert losses["II"] - losses["IV"] == pytest.approx(rate, rel=1e-2)
  # Fails if Q(delta) is left out: rounding makes a difference.
  assert losses["III"] != losses["IV"]


def test_learned_slabs_start_as_the_prior_s_own(params):
  fast = instance_adaptive.full_model(params, learn_scales=True)
  plain = instance_adaptive.full_model(params)
  bits = jax.jit(
    lambda fast: instance_adaptive.model_bits(sas.continuous_bits, PRIOR, fast)
  )
  np.testing.assert_allclose(bits(fast), bits(plain), rtol=1e-5)
  # Fails if a slab has no gradient: of nothing changed, narrower is better.
  grads = jax.jit(jax.grad(bits))(fast)
  assert all(g > 0 for g in jax.tree.leaves(grads["log_scales"]))


def test_encoder_only_leaves_the_receiver_alone(params, images, rounded_terms):
  fast = instance_adaptive.transmitter_only(params)
  adapted = instance_adaptive.adapted_params(params, fast, PRIOR)
  assert adapted.keys() == params.keys()
  loss = jax.jit(_loss(images))(params, fast, _context(images))
  np.testing.assert_allclose(
    loss, BETA * rounded_terms.rate + rounded_terms.distortion, rtol=1e-4
  )


def test_latents_can_be_optimised_directly(params, images, rounded_terms):
  latents = jax.jit(MODEL.analyse)(params, images)
  loss_fn = instance_adaptive.latent_loss(
    MODEL, beta=BETA, frame_shape=images.shape[1:]
  )
  loss, grads = jax.jit(jax.value_and_grad(loss_fn, argnums=1))(
    params, latents, _context(images)
  )
  np.testing.assert_allclose(
    loss, BETA * rounded_terms.rate + rounded_terms.distortion, rtol=1e-4
  )
  assert np.any(grads.latents) and np.any(grads.hyper)


def test_seeds_change_from_step_to_step(images):
  chosen = instance_adaptive.seeded(select.full_context)
  context = _context(images)
  seeds = [
    chosen(jax.random.key(i), {}, {}, context).coords[:, -1] for i in range(2)
  ]
  assert seeds[0].shape == (2,) and seeds[0][0] == seeds[0][1]
  assert seeds[0][0] != seeds[1][0]


def test_frames_of_another_size_are_refused(params, images):
  loss = instance_adaptive.rdm_loss(
    MODEL, beta=BETA, frame_shape=(8, 8, 3), num_pixels=1, prior=PRIOR
  )
  fast = instance_adaptive.transmitter_only(params)
  with pytest.raises(ValueError, match="8 x 8 x 3"):
    loss(params, fast, _context(images))
  with pytest.raises(ValueError, match="num_pixels"):
    instance_adaptive.rdm_loss(
      MODEL, beta=1.0, frame_shape=(8, 8, 3), num_pixels=0, prior=PRIOR
    )
