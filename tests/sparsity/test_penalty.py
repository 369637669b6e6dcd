"""The weight of the penalty: a number, a ramp, a controller."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax import sparsity
from inrjax.sparsity import gates, penalty


def test_constant_stays():
  weight = penalty.constant(0.3)
  state = weight.update(weight.init(), jnp.float32(7.0))
  np.testing.assert_allclose(weight.value(state), 0.3)


def test_ramp_is_linear_and_then_flat():
  # Fails if the ramp starts at its end, or keeps growing.
  weight = penalty.ramped(2.0, 4)
  state, seen = weight.init(), []
  for _ in range(6):
    seen.append(float(weight.value(state)))
    state = weight.update(state, jnp.float32(7.0))
  np.testing.assert_allclose(seen, [0, 0.5, 1, 1.5, 2, 2])


def run_controller(expected, **knobs):
  """log lambda after each of the expected numbers of open gates."""
  weight = penalty.controlled(10.0, initial=1.0, **knobs)
  state, seen = weight.init(), []
  for value in expected:
    state = weight.update(state, jnp.float32(value))
    seen.append(float(jnp.log(weight.value(state))))
  return seen


def test_controller_pushes_towards_its_target():
  # Fails if the sign of the error is exchanged.
  assert run_controller([20.0])[0] > 0
  assert run_controller([5.0])[0] < 0
  assert run_controller([10.0])[0] == 0


def test_controller_is_its_formula():
  # Fails if the derivative is not damped, not clipped, or of the wrong sign.
  found = run_controller([20.0, 19.9, 200.0], gain=0.1, damping=2.0)
  first = 0.1 * np.log(2)
  second = first + 0.1 * (np.log(1.99) + 2 * 100 * np.log(19.9 / 20))
  third = second + 0.1 * (1.0 + 2 * 1.0)
  np.testing.assert_allclose(found, [first, second, third], rtol=1e-4)


def test_controller_stays_in_its_limits():
  # Fails if lambda winds up while a target cannot be reached.
  assert np.exp(run_controller([1e6] * 500, limits=(0.5, 2.0))[-1]) == (
    pytest.approx(2.0)
  )
  assert np.exp(run_controller([0.0] * 500, limits=(0.5, 2.0))[-1]) == (
    pytest.approx(0.5)
  )


def masked_regression(target, num_steps=5000, **knobs):
  """Gates choose among 64 inputs whose weights fall off.

  Returns:
    Expected number of open gates after each step, and the chosen mask.
  """
  distribution = sparsity.HardConcrete()
  strength = jnp.exp(-jnp.arange(64.0) / 8)
  weight = penalty.controlled(target, initial=1e-4, **knobs)
  optimizer = optax.adam(0.03)

  def step(carry, key):
    log_alpha, opt_state, state = carry

    def loss_fn(log_alpha):
      z = gates.sample(
        log_alpha, gates.noise_like(key, log_alpha), distribution
      )
      error = jnp.mean(jnp.square((1 - z) * strength))
      expected = gates.expected_l0(log_alpha, distribution)
      return error + weight.value(state) * expected / 64, expected

    grads, expected = jax.grad(loss_fn, has_aux=True)(log_alpha)
    updates, opt_state = optimizer.update(grads, opt_state)
    log_alpha = gates.project_log_alpha(
      optax.apply_updates(log_alpha, updates), distribution
    )
    return (log_alpha, opt_state, weight.update(state, expected)), expected

  log_alpha = jnp.full((64,), 0.5)
  carry = (log_alpha, optimizer.init(log_alpha), weight.init())
  keys = jax.random.split(jax.random.key(0), num_steps)
  (log_alpha, *_), seen = jax.jit(lambda c: jax.lax.scan(step, c, keys))(carry)
  return np.asarray(seen), np.asarray(gates.open_gates(log_alpha, distribution))


@pytest.mark.parametrize("target", [8, 20, 40])
def test_controller_reaches_its_target_without_overshooting(target):
  # Fails without damping, or with lambda multiplied by E[L0] / target.
  seen, mask = masked_regression(target)
  np.testing.assert_allclose(seen[-200:].mean(), target, rtol=0.1)
  assert seen.min() > 0.85 * target
  # What is kept is what matters: the strongest inputs.
  assert np.flatnonzero(mask).mean() < 64 / 2 * (1.3 * target / 64 + 0.1)


@pytest.mark.parametrize("knob", [{"gain": 0.02}, {"damping": 0.0}])
def test_every_knob_moves_the_controller(knob):
  # Fails if a knob is dead.
  numbers = [20.0, 19.0, 18.0]
  assert run_controller(numbers, **knob) != run_controller(numbers)


@pytest.mark.parametrize(
  "make",
  [
    lambda: penalty.constant(-1.0),
    lambda: penalty.ramped(-1.0, 3),
    lambda: penalty.ramped(1.0, 0),
    lambda: penalty.controlled(0.5),
    lambda: penalty.controlled(5.0, initial=0.0),
    lambda: penalty.controlled(5.0, initial=2.0, limits=(0.1, 1.0)),
    lambda: penalty.controlled(5.0, gain=0.0),
    lambda: penalty.controlled(5.0, damping=-1.0),
  ],
)
def test_impossible_values_are_refused(make):
  with pytest.raises(ValueError, match="must"):
    make()
