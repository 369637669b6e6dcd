"""Reptile's outer gradient."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import coords, meta, networks
from inrjax.meta import reptile

KEY = jax.random.key(0)
AS_CONTEXT = coords.image_context(4, 4)
PLAIN = networks.SirenConfig(depth=2, width=5, w0=4.0)
RATES = meta.InnerRates(0.05, 0.05)
METHOD = meta.maml(network=PLAIN, rates=RATES, num_steps=3)
IMAGES = jnp.asarray(
  np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), np.uint8)
)


@pytest.mark.parametrize("task_tile", [None, 1])
def test_gradient_is_start_minus_mean_adapted(task_tile):
  # Fails if the fits are differentiated, summed over signals, or the sign is
  # that of the update.
  params = METHOD.init(KEY)
  objective = reptile.reptile(METHOD, AS_CONTEXT, task_tile=task_tile)
  (loss, (metrics, carry)), grads = jax.jit(
    jax.value_and_grad(lambda p: objective(KEY, p, 7, IMAGES), has_aux=True)
  )(params)
  keys = jax.random.split(KEY, 3)
  adapted = jax.jit(
    jax.vmap(lambda k, x: METHOD.adapt(k, params, {}, AS_CONTEXT(x)))
  )(keys, IMAGES)
  expected = jax.tree.map(
    lambda start, ends: start - ends.mean(0), params.fast, adapted.fast
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7),
    grads.fast,
    expected,
  )
  apart = [
    np.square(start[None] - ends).sum() / 6
    for start, ends in zip(
      jax.tree.leaves(params.fast), jax.tree.leaves(adapted.fast), strict=True
    )
  ]
  np.testing.assert_allclose(loss, sum(apart), rtol=1e-5)
  np.testing.assert_allclose(
    metrics["mse"], adapted.losses[:, -1].mean(), rtol=1e-5
  )
  assert carry == 7


def test_a_start_that_is_not_learned_is_refused():
  with pytest.raises(ValueError, match="start=learned_start"):
    reptile.reptile(
      meta.modulated(
        network=dataclasses.replace(PLAIN, modulate=("shift",)), rates=RATES
      ),
      AS_CONTEXT,
    )


def test_gates_are_refused():
  gated = dataclasses.replace(METHOD, gates=meta.Gates())
  with pytest.raises(ValueError, match="gates"):
    reptile.reptile(gated, AS_CONTEXT)
