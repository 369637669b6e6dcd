"""The step against NumPy, its keys, and its guard."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax import train
from tests.train import problems

BATCH = np.random.default_rng(1).integers(0, 256, (8, 3, 2, 3), np.uint8)


def test_sgd_step_is_the_one_done_by_hand():
  step_fn = train.make_train_step(problems.linear_objective, optax.sgd(0.5))
  state = problems.linear_state(optax.sgd(0.5))
  new, metrics = step_fn(state, jnp.asarray(BATCH))
  x = BATCH.reshape(8, -1) / 255.0
  grad = 2 * x.T @ (x @ np.zeros((18, 18)) - x) / x.size
  # fails if the update has another sign or scale.
  np.testing.assert_allclose(new.params["w"], -0.5 * grad, rtol=1e-5)
  np.testing.assert_allclose(metrics["loss"], np.mean(x**2), rtol=1e-5)
  # fails if the norm is squared or of the update.
  np.testing.assert_allclose(
    metrics["grad_norm"], np.linalg.norm(grad), rtol=1e-5
  )
  assert metrics["finite"] == 1
  assert new.step == 1
  np.testing.assert_allclose(new.carry["mean"], 0.1 * np.mean(x**2), rtol=1e-5)
  np.testing.assert_allclose(
    metrics["psnr"], -10 * np.log10(np.mean(x**2)), rtol=1e-5
  )


def test_the_key_of_a_step_is_folded_from_its_number():
  seen = []

  def objective(key, params, carry, batch):
    seen.append(jax.random.key_data(key))
    return problems.linear_objective(key, params, carry, batch)

  step_fn = train.make_train_step(objective, problems.SGD)
  state = problems.linear_state()
  for _ in range(2):
    state, _ = step_fn(state, jnp.asarray(BATCH))
  expected = [
    jax.random.key_data(jax.random.fold_in(jax.random.key(0), i))
    for i in range(2)
  ]
  # fails if every step sees the same key, or the run's key is consumed.
  np.testing.assert_array_equal(seen, expected)
  np.testing.assert_array_equal(
    jax.random.key_data(state.key), jax.random.key_data(jax.random.key(0))
  )


def poisoned(where):
  """An objective whose one part is not finite for a batch of zeros."""

  @jax.custom_jvp
  def identity(x, bad):
    return x

  @identity.defjvp
  def _(primals, tangents):
    x, bad = primals
    return x, tangents[0] * jnp.where(bad, jnp.nan, 1.0)

  def objective(key, params, carry, batch):
    bad = jnp.all(batch == 0)
    nan = jnp.where(bad, jnp.nan, 0.0)
    if where == "gradient":
      params = jax.tree.map(lambda p: identity(p, bad), params)
    loss, (metrics, carry) = problems.linear_objective(
      key, params, carry, batch
    )
    if where == "loss":
      loss = loss + nan
    if where == "carry":
      carry = carry | {"mean": carry["mean"] + nan}
    if where == "metric":
      metrics = metrics | {"psnr": jnp.inf + 0 * loss}
    return loss, (metrics, carry)

  return objective


@pytest.mark.parametrize("where", ["loss", "gradient", "carry"])
def test_what_is_not_finite_never_reaches_the_state(where):
  step_fn = jax.jit(train.make_train_step(poisoned(where), problems.SGD))
  state, metrics = step_fn(problems.linear_state(), jnp.asarray(BATCH))
  assert metrics["finite"] == 1 and state.step == 1
  kept, metrics = step_fn(state, jnp.zeros_like(BATCH))
  # fails if only the loss is looked at, or only the parameters are kept.
  assert metrics["finite"] == 0
  problems.assert_same(kept, state)


def test_an_update_that_overflows_is_not_applied():
  optimizer = optax.scale(1e38)
  step_fn = train.make_train_step(problems.linear_objective, optimizer)
  state = problems.linear_state(optimizer)
  huge = state._replace(params={"w": jnp.full((18, 18), 3e18)})
  kept, metrics = step_fn(huge, jnp.asarray(BATCH))
  assert metrics["finite"] == 0
  problems.assert_same(kept, huge)


def test_an_infinite_metric_alone_does_no_harm():
  # A PSNR is infinite where the error is zero.
  step_fn = train.make_train_step(poisoned("metric"), problems.SGD)
  state, metrics = step_fn(problems.linear_state(), jnp.asarray(BATCH))
  assert metrics["finite"] == 1 and state.step == 1


def test_an_objective_that_changes_the_carrys_structure_is_refused():
  def objective(key, params, carry, batch):
    loss, (metrics, _) = problems.linear_objective(key, params, carry, batch)
    return loss, (metrics, {"mean": loss})

  step_fn = train.make_train_step(objective, problems.SGD)
  with pytest.raises((AssertionError, ValueError)):
    step_fn(problems.linear_state(), jnp.asarray(BATCH))


def test_a_loss_that_is_no_scalar_is_refused():
  def objective(key, params, carry, batch):
    loss, (metrics, carry) = problems.linear_objective(
      key, params, carry, batch
    )
    return loss, ({"psnr": jnp.zeros(3)}, carry)

  step_fn = train.make_train_step(objective, problems.SGD)
  with pytest.raises(AssertionError, match="rank"):
    step_fn(problems.linear_state(), jnp.asarray(BATCH))
