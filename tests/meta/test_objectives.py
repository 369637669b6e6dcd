"""Outer objectives against loops over signals."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax import coords, meta, networks, train
from inrjax.sparsity import gates, penalty

KEY = jax.random.key(0)
SIDE = 4
AS_CONTEXT = coords.image_context(SIDE, SIDE)
METHOD = meta.modulated(
  network=networks.SirenConfig(depth=3, width=6, w0=4.0, modulate=("shift",)),
  rates=meta.InnerRates(0.05, 0.2, clip=(0.0, 1.0)),
  gates=meta.Gates(),
)
IMAGES = jnp.asarray(
  np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
)


def run(objective, params, carry=()):
  return jax.jit(objective)(KEY, params, carry, IMAGES)


@pytest.mark.parametrize("task_tile", [None, 2])
def test_post_adaptation_is_a_mean_over_signals(task_tile):
  # Fails if the sum, the first loss, another noise for each signal, or the
  # PSNR of the mean is taken.
  params = METHOD.init(KEY)
  objective = meta.post_adaptation(METHOD, AS_CONTEXT, task_tile=task_tile)
  loss, (metrics, carry) = run(objective, params, carry=7)
  noise_key, adapt_key = jax.random.split(KEY)
  noise = METHOD.noise(noise_key)
  losses = np.stack(
    [
      jax.jit(METHOD.adapt)(adapt_key, params, noise, AS_CONTEXT(image)).losses
      for image in IMAGES
    ]
  )
  np.testing.assert_allclose(loss, losses[:, -1].mean(), rtol=1e-5)
  np.testing.assert_allclose(metrics["mse"], losses[:, -1].mean(), rtol=1e-5)
  np.testing.assert_allclose(
    metrics["mse_before"], losses[:, 0].mean(), rtol=1e-5
  )
  np.testing.assert_allclose(
    metrics["psnr"], np.mean(-10 * np.log10(losses[:, -1])), rtol=1e-5
  )
  assert carry == 7


def test_gates_are_sampled_anew_at_each_step():
  # Fails if the noise does not depend on the step's key.
  objective = jax.jit(meta.post_adaptation(METHOD, AS_CONTEXT))
  params = METHOD.init(KEY)
  one, other = (
    objective(jax.random.key(i), params, (), IMAGES)[0] for i in (1, 2)
  )
  assert one != other


@pytest.mark.parametrize("weight", [0.0, 1e-3, 2e-3])
def test_penalty_adds_lambda_times_expected_l0(weight):
  # Fails if the penalty is dropped, not scaled by lambda, or not divided by
  # the number of values.
  params = METHOD.init(KEY)
  plain = meta.post_adaptation(METHOD, AS_CONTEXT)
  lam = penalty.constant(weight)
  penalised = meta.with_l0_penalty(plain, lam, num_values=SIDE * SIDE * 3)
  base, _ = run(plain, params)
  loss, (metrics, _) = run(penalised, params, ((), lam.init()))
  expected = gates.expected_l0(params.log_alpha, METHOD.gates.distribution)
  np.testing.assert_allclose(loss, base + weight * expected / 48, rtol=1e-5)
  np.testing.assert_allclose(metrics["expected_l0"], expected, rtol=1e-5)
  np.testing.assert_allclose(metrics["penalty_weight"], weight, rtol=1e-5)
  assert (
    metrics["open_gates"] == 18 and metrics["open_gates"].dtype == jnp.float32
  )


def test_penalty_closes_gates_and_touches_nothing_else():
  # Fails if lambda is differentiated, or the penalty reaches other parameters.
  params = METHOD.init(KEY)
  plain = meta.post_adaptation(METHOD, AS_CONTEXT)
  lam = penalty.constant(1.0)
  penalised = meta.with_l0_penalty(plain, lam, num_values=48)

  def gradient_of(objective, carry):
    return jax.jit(jax.grad(lambda p: objective(KEY, p, carry, IMAGES)[0]))(
      params
    )

  found = gradient_of(penalised, ((), lam.init()))
  base = gradient_of(plain, ())
  difference = jax.tree.map(lambda a, b: a - b, found, base)
  assert (difference.log_alpha["~"]["shift"] > 0).all()
  for leaf in jax.tree.leaves(difference._replace(log_alpha={})):
    np.testing.assert_allclose(leaf, 0, atol=1e-6)


def test_the_controllers_state_is_carried():
  # Fails if the state that comes back is the one that went in.
  lam = penalty.controlled(5.0)
  objective = meta.with_l0_penalty(
    meta.post_adaptation(METHOD, AS_CONTEXT), lam, num_values=48
  )
  params = METHOD.init(KEY)
  _, (metrics, (inner, state)) = run(objective, params, ((), lam.init()))
  assert inner == ()
  expected = lam.update(lam.init(), metrics["expected_l0"])
  np.testing.assert_allclose(state, expected, rtol=1e-6)


def test_training_reaches_the_requested_number_of_modulations():
  # Fails if gates are not trained, the controller is not carried from step to
  # step, or runs past its target: a real, if small, MSCN.
  target = 9.0
  lam = penalty.controlled(target, initial=1e-3, gain=0.03)
  objective = meta.with_l0_penalty(
    meta.post_adaptation(METHOD, AS_CONTEXT), lam, num_values=48
  )
  labels = meta.Outer("net", "net", "net", "gates")
  optimizer = train.make_optimizer(
    3e-4, labels=labels, rate_factors={"gates": 60.0}
  )
  step = train.make_train_step(objective, optimizer)
  state = train.init_state(
    KEY, METHOD.init(KEY), optimizer, carry=((), lam.init())
  )

  def body(state, _):
    state, metrics = step(state, IMAGES)
    return state, metrics

  state, seen = jax.jit(lambda s: jax.lax.scan(body, s, None, length=1200))(
    state
  )
  assert optax.tree.sum(seen["finite"]) == 1200
  expected = np.asarray(seen["expected_l0"])
  np.testing.assert_allclose(expected[-100:].mean(), target, rtol=0.15)
  assert expected.min() > 0.85 * target
  assert seen["mse"][-100:].mean() < seen["mse_before"][:20].mean()
