"""Meta-learning over clips, on a network of a few channels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.adapt import gradient, links
from inrjax.coords import select, video
from inrjax.meta import instance_adaptive, meta_adaptive
from inrjax.quantize import spike_and_slab as sas
from tests.meta import adaptive_problem
from tests.meta.adaptive_problem import BETA, MODEL

# Two clips of two frames.
SHAPE = (2, 2, 37, 48, 3)
KEY = 1


def _objective(mode, num_steps=2):
  def make_adapt(frame_shape):
    return meta_adaptive.make_adapt(
      MODEL,
      links.sgd(0.02),
      beta=BETA,
      frame_shape=frame_shape,
      num_pixels=SHAPE[1] * SHAPE[2] * SHAPE[3],
      prior=sas.SpikeAndSlab(),
      num_steps=num_steps,
      gradient=mode,
      quantize_fn=instance_adaptive.unquantized,
    )

  return meta_adaptive.post_adaptation(make_adapt)


@functools.cache
def _value_and_grad(mode):
  """Of the parameters, in double precision: nothing may round otherwise."""
  objective = _objective(mode)
  clips = jnp.stack([adaptive_problem.make_images()] * 2)
  clips = clips.at[1].set(clips[1, ::-1, ::-1])

  def loss(params):
    return objective(jax.random.key(KEY), params, (), clips.astype(float))

  return jax.jit(jax.value_and_grad(loss, has_aux=True))


@pytest.fixture(scope="module")
def params():
  return jax.device_get(adaptive_problem.make_params())


def _found(mode, params):
  with jax.enable_x64(True):
    params = jax.tree.map(lambda x: jnp.asarray(x, float), params)
    return jax.device_get(_value_and_grad(mode)(params))


def test_every_part_learns_of_what_comes_after_adapting(params):
  (loss, (found, carry)), grads = _found(gradient.first_order, params)
  assert carry == () and loss < found["rdm_before"]
  for name, tree in grads.items():
    # Fails if the start of the encoder is a constant to the outer gradient.
    assert any(np.any(leaf) for leaf in jax.tree.leaves(tree)), name


def test_the_loss_after_adapting_has_the_noise_of_training(params):
  objective = jax.jit(_objective(gradient.first_order, num_steps=0))
  clips = jnp.stack([adaptive_problem.make_images()] * 2)
  losses = [
    float(objective(jax.random.key(seed), params, (), clips)[0])
    for seed in (0, 0, 1)
  ]
  # Fails if latents are rounded where the gradient is taken.
  assert losses[0] == losses[1] != losses[2]


def test_steps_of_training_lower_the_loss_after_adapting(params):
  losses = []
  for _ in range(8):
    (loss, _), grads = _found(gradient.first_order, params)
    losses.append(float(loss))
    params = jax.tree.map(lambda p, g: p - 0.02 * g, params, grads)
  # Fails if the gradient is that of another loss, or of its sign.
  assert losses[-1] < 0.97 * losses[0]


def test_mixed_mode_is_reverse_over_reverse(params):
  """Of one inner step's gradient, frames and noise as in training."""
  images = adaptive_problem.make_images()
  loss_fn = instance_adaptive.rdm_loss(
    MODEL,
    beta=BETA,
    frame_shape=images.shape[1:],
    num_pixels=images[..., 0].size,
    prior=sas.SpikeAndSlab(),
    quantize_fn=instance_adaptive.unquantized,
  )

  def pulled_back(mode):
    @jax.jit
    def pull(params, v):
      context = video.frame_context(*images.shape[:3])(images.astype(float))
      chosen = instance_adaptive.seeded(select.full_context)(
        jax.random.key(KEY), {}, {}, context
      )

      def step(params):
        start = instance_adaptive.full_model(params)
        return mode(loss_fn)(params, start, chosen)[1]

      return jax.vjp(step, params)[1](v)[0]

    return pull

  rng = np.random.default_rng(0)
  with jax.enable_x64(True):
    doubles = jax.tree.map(lambda x: jnp.asarray(x, float), params)
    v = jax.tree.map(
      lambda x: jnp.asarray(rng.normal(size=x.shape)),
      instance_adaptive.full_model(doubles),
    )
    mixed, reverse = (
      jax.device_get(pulled_back(mode)(doubles, v))
      for mode in (gradient.mixed_mode, gradient.reverse)
    )
  scale = max(np.max(np.abs(leaf)) for leaf in jax.tree.leaves(reverse))
  for name in reverse:
    one, other = (
      np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(x)])
      for x in (mixed[name], reverse[name])
    )
    # Fails if a part of the Hessian is lost, such as that of what is rounded,
    # or the seed's noise is drawn anew.
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9 * scale)
    assert np.any(other), name
