"""The hard concrete distribution against Monte Carlo and by definition."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import sparsity
from inrjax.sparsity import gates

HARD = sparsity.HardConcrete()
KEY = jax.random.key(0)
WIDE = dataclasses.replace(HARD, log_alpha_range=(-50.0, 50.0))


def draws(log_alpha, distribution=HARD, number=100_000):
  tree = {"a": jnp.full((number,), log_alpha)}
  return gates.sample(tree, gates.noise_like(KEY, tree), distribution)["a"]


def by_definition(log_alpha, noise, d):
  """Louizos et al., eqs. 10-12, in NumPy."""
  s = 1 / (1 + np.exp(-(np.log(noise / (1 - noise)) + log_alpha) / d.beta))
  return np.clip(s * (d.zeta - d.gamma) + d.gamma, 0, 1)


@pytest.mark.parametrize("log_alpha", [-4.0, -1.0, 0.1, 0.5, 3.0])
@pytest.mark.parametrize(
  "distribution", [HARD, sparsity.HardConcrete(beta=0.4, gamma=-0.3, zeta=1.2)]
)
def test_probability_of_an_open_gate_is_its_frequency(log_alpha, distribution):
  # Fails if the sign of the shift, beta, gamma or zeta in the CDF is off.
  found = gates.probability_open(jnp.float32(log_alpha), distribution)
  frequency = np.mean(np.asarray(draws(log_alpha, distribution)) > 0)
  np.testing.assert_allclose(found, frequency, atol=5e-3)


def test_sample_is_its_definition():
  # Fails if the temperature divides the noise alone.
  noise = np.linspace(1e-4, 1 - 1e-4, 999).astype(np.float32)
  for log_alpha in (-2.0, 0.0, 1.5):
    found = gates.sample(
      {"a": jnp.full((999,), log_alpha)}, {"a": jnp.asarray(noise)}, HARD
    )["a"]
    np.testing.assert_allclose(
      found, by_definition(log_alpha, noise.astype(float), HARD), atol=1e-5
    )


def test_zero_and_one_are_reached_exactly():
  # Fails without the stretch: a sigmoid alone reaches neither.
  found = np.asarray(draws(0.0))
  assert found.min() == 0 and found.max() == 1
  assert np.mean(found == 0) > 0.1 and np.mean(found == 1) > 0.1
  assert np.mean((found > 0) & (found < 1)) > 0.1


def test_constants_of_the_paper():
  # Fails if a default moves: beta 2/3, stretch [-0.1, 1.1], the range of log
  # alpha in MSCN's tables.
  assert (HARD.beta, HARD.gamma, HARD.zeta) == (2 / 3, -0.1, 1.1)
  np.testing.assert_allclose(np.exp(HARD.log_alpha_range), [1e-2, 1e2])


def test_expected_l0_sums_all_leaves():
  # Fails if it is a mean, or one leaf is left out.
  tree = {"a": jnp.full((3, 2), 0.1), "b": jnp.full((4,), -2.0)}
  one = gates.probability_open(jnp.float32(0.1), HARD)
  other = gates.probability_open(jnp.float32(-2.0), HARD)
  np.testing.assert_allclose(
    gates.expected_l0(tree, HARD), 6 * one + 4 * other, rtol=1e-6
  )
  assert gates.expected_l0({}, HARD) == 0


def test_estimate_is_the_noiseless_gate():
  # Fails if the estimator divides by beta: Louizos et al., eq. 13 does not.
  log_alpha = np.linspace(-4.5, 4.5, 19, dtype=np.float32)
  expected = np.clip(1.2 / (1 + np.exp(-log_alpha)) - 0.1, 0, 1)
  np.testing.assert_allclose(
    gates.estimate(jnp.asarray(log_alpha), HARD), expected, atol=1e-6
  )
  # log alpha = log(1 / 11) is where it closes.
  closed = gates.open_gates(jnp.array([-2.41, -2.39]), HARD)
  np.testing.assert_array_equal(closed, [False, True])


def test_log_alpha_is_clipped_where_it_is_used():
  # Fails if a stored value outside the range is used as it is.
  low, high = HARD.log_alpha_range
  outside, inside = jnp.array([-9.0, 9.0]), jnp.array([low, high])
  noise = jnp.array([0.3, 0.6])
  for fn in (
    lambda a: gates.probability_open(a, HARD),
    lambda a: gates.estimate(a, HARD),
    lambda a: gates.sample(a, noise, HARD),
  ):
    np.testing.assert_allclose(fn(outside), fn(inside), rtol=1e-6)
  np.testing.assert_allclose(gates.project_log_alpha(outside, HARD), inside)


def test_a_gate_outside_its_range_can_return():
  # Fails with the gradient of jnp.clip, which is zero outside.
  grads = jax.grad(lambda a: jnp.sum(gates.probability_open(a, HARD)))(
    jnp.array([-9.0, 9.0])
  )
  assert (grads > 0).all()


@pytest.mark.parametrize("noise", [0.2, 0.5, 0.8])
def test_gradient_is_a_finite_difference(noise):
  # Fails if the derivative of a step (the clip to [0, 1]) is not zero, or the
  # temperature is missing in it.
  with jax.enable_x64(True):
    log_alpha = jnp.linspace(-4.0, 4.0, 33)
    u = jnp.full(log_alpha.shape, noise)

    def total(a):
      return jnp.sum(jnp.sin(gates.sample(a, u, HARD))) + gates.expected_l0(
        {"a": a}, HARD
      )

    found = jax.grad(total)(log_alpha)
    for i in range(log_alpha.size):
      step = jnp.zeros_like(log_alpha).at[i].set(1e-6)
      slope = (total(log_alpha + step) - total(log_alpha - step)) / 2e-6
      np.testing.assert_allclose(found[i], slope, rtol=1e-5, atol=1e-8)


def test_gates_far_open_are_dense_and_far_closed_are_zero():
  assert (draws(30.0, WIDE, 1000) == 1).all()
  assert (draws(-30.0, WIDE, 1000) == 0).all()


def test_noise_is_inside_the_unit_interval_and_differs_by_leaf():
  # Fails if leaves share a key, or log(0) can be taken.
  tree = {"a": jnp.zeros((50_000,)), "b": jnp.zeros((50_000,))}
  noise = gates.noise_like(KEY, tree)
  for leaf in noise.values():
    assert 0 < leaf.min() and leaf.max() < 1
    np.testing.assert_allclose(leaf.mean(), 0.5, atol=0.01)
  assert not np.array_equal(noise["a"], noise["b"])


def test_top_gates_keep_the_requested_number():
  # Fails if the smallest are kept, or a leaf gets another's part of the mask.
  tree = {"a": jnp.array([[3.0, -1.0], [0.5, 0.5]]), "b": jnp.array([0.5, 2.0])}
  np.testing.assert_array_equal(
    gates.top_gates(tree, 3)["a"], [[True, False], [True, False]]
  )
  np.testing.assert_array_equal(gates.top_gates(tree, 3)["b"], [False, True])
  for number in range(1, 7):
    mask = gates.top_gates(tree, number)
    assert sum(int(leaf.sum()) for leaf in mask.values()) == number


@pytest.mark.parametrize("number", [0, 7])
def test_impossible_numbers_of_gates_are_refused(number):
  with pytest.raises(ValueError, match="num_open"):
    gates.top_gates({"a": jnp.zeros((6,))}, number)


@pytest.mark.parametrize(
  "changes",
  [
    {"beta": 0.0},
    {"gamma": 0.0},
    {"zeta": 1.0},
    {"log_alpha_range": (1.0, 1.0)},
  ],
  ids=str,
)
def test_impossible_constants_are_refused(changes):
  with pytest.raises(ValueError, match="beta|stretch|log_alpha_range"):
    dataclasses.replace(HARD, **changes)


@pytest.mark.parametrize(
  "changes",
  [
    {"beta": 0.5},
    {"gamma": -0.2},
    {"zeta": 1.3},
    {"log_alpha_range": (-3.0, 3.0)},
  ],
  ids=str,
)
def test_every_constant_changes_the_program(changes):
  # Fails if a constant is written out and not read from the distribution.
  other = dataclasses.replace(HARD, **changes)
  log_alpha, noise = jnp.zeros((3,)), jnp.full((3,), 0.4)

  def program(fn, distribution):
    return str(jax.make_jaxpr(lambda a: fn(a, distribution))(log_alpha))

  sample = lambda a, d: gates.sample(a, noise, d)  # noqa: E731
  assert program(sample, other) != program(sample, HARD)
  assert program(gates.expected_l0, other) != program(gates.expected_l0, HARD)


def test_init_has_a_gate_for_each_value():
  found = gates.init_log_alpha({"a": jnp.zeros((2, 3))}, 0.1)
  np.testing.assert_array_equal(found["a"], np.full((2, 3), np.float32(0.1)))
  assert math.prod(found["a"].shape) == 6
