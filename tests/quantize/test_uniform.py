"""Quantisers against their definitions, in NumPy and in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inrjax.quantize import uniform


def _sample(num=400, width=5, seed=0):
  rng = np.random.default_rng(seed)
  scale = np.geomspace(0.01, 100, width)
  return (rng.normal(size=(num, width)) * scale + scale).astype(np.float32)


@pytest.mark.parametrize("num_bits", [1, 2, 5, 8, 16])
def test_fixed_width_error_is_at_most_half_a_bin(num_bits):
  values = _sample()
  quantizer = uniform.fit_fixed_width(
    values, num_bits=num_bits, num_deviations=4.0
  )
  symbols = uniform.quantize(quantizer, values)
  assert symbols.min() >= 0 and symbols.max() <= 2**num_bits - 1
  again = uniform.dequantize(quantizer, symbols)
  inside = np.abs(values - quantizer.mean) <= 4.0 * quantizer.deviation
  half_bin = 4.0 * quantizer.deviation / (2**num_bits - 1)
  # fails if the range is not 2 omega wide, or the bins are 2^b instead of the
  # 2^b - 1 gaps between 2^b values
  error = np.abs(again - values) / half_bin
  assert error[inside].max() <= 1.0 + 1e-2
  assert error[inside].max() > 0.9


def test_fixed_width_is_mscn_d1_by_hand():
  quantizer = uniform.FixedWidth(1.0, 2.0, 3.0, 2)
  values = np.array([-9.0, -5.0, -1.0, 1.9, 3.1, 7.0, 99.0], np.float32)
  # Z = (m - 1) / 2 clipped to +-3; 0.5 + Z / 6; times 3, rounded.
  # fails if the clip is dropped or omega is not in units of the deviation
  np.testing.assert_array_equal(
    uniform.quantize(quantizer, values), [0, 0, 1, 2, 2, 3, 3]
  )
  np.testing.assert_allclose(
    uniform.dequantize(quantizer, np.arange(4)),
    [-5.0, -1.0, 3.0, 7.0],
    rtol=1e-6,
  )


def test_value_that_never_varied_comes_back_exactly():
  values = np.full((7, 2), [0.3, -4.0], np.float32)
  quantizer = uniform.fit_fixed_width(values, num_bits=5, num_deviations=3.0)
  # fails if the deviation divides unguarded
  again = uniform.dequantize(quantizer, uniform.quantize(quantizer, values))
  np.testing.assert_array_equal(again, values)


def test_coin_range_is_the_thesis_formula():
  # fails if the 15 becomes 16 or the offset is dropped
  assert uniform.coin_num_deviations(1) == 3.0
  assert uniform.coin_num_deviations(16) == 6.0
  assert uniform.coin_num_deviations(6) == 4.0


def test_coin_at_16_bits_is_as_good_as_half_precision():
  weights = _sample(width=1).reshape(20, 20)
  quantizer = uniform.fit_coin(weights, num_bits=16)
  again = uniform.dequantize(quantizer, uniform.quantize(quantizer, weights))
  # fails if the statistics are per column
  assert np.ndim(quantizer.mean) == 0
  assert np.abs(again - weights).max() < 2e-4 * weights.std()


@pytest.mark.parametrize("rounding", [0.5, 0.35, 0.2])
def test_dead_zone_against_a_loop(rounding):
  values = _sample(num=50)[:, 2]
  quantizer = uniform.DeadZone(0.3, rounding, -0.05)
  expected = [
    int(np.sign(v)) * int(np.floor(abs(float(v)) / 0.3 + rounding))
    for v in values
  ]
  symbols = uniform.quantize_dead_zone(quantizer, values)
  # fails if the offset is applied outside the absolute value
  np.testing.assert_array_equal(symbols, expected)
  again = uniform.dequantize_dead_zone(quantizer, symbols)
  expected = [np.sign(q) * (abs(q) - 0.05) * 0.3 if q else 0 for q in expected]
  # fails if zero is shifted, or the shift is not mirrored
  np.testing.assert_allclose(again, expected, rtol=1e-6, atol=1e-7)


def test_fitted_shift_is_the_least_squares_one():
  rng = np.random.default_rng(1)
  values = rng.laplace(size=(4000, 2)).astype(np.float32) * [1.0, 30.0]
  quantizer = uniform.DeadZone(np.array([0.9, 40.0]), 0.3)
  fitted = uniform.fit_shift(quantizer, values)

  def error(shift):
    trial = quantizer._replace(shift=shift)
    symbols = uniform.quantize_dead_zone(trial, values)
    return np.square(
      uniform.dequantize_dead_zone(trial, symbols) - values
    ).sum()

  # fails if zeros count, or the steps weigh equally
  assert error(fitted.shift) < error(fitted.shift + 2e-3)
  assert error(fitted.shift) < error(fitted.shift - 2e-3)
  # A falling density lies below the middle of its bin, 0.5 - rounding.
  assert 0.0 < fitted.shift < 0.2


def test_shift_of_nothing_but_zeros_is_zero():
  fitted = uniform.fit_shift(uniform.DeadZone(1.0, 0.5, 0.3), np.zeros(4))
  assert fitted.shift == 0.0


def test_jax_and_numpy_agree_on_symbols():
  values = _sample()
  fixed = uniform.fit_fixed_width(values, num_bits=5, num_deviations=3.0)
  dead = uniform.DeadZone(0.25, 0.4, -0.1)
  for quantize, dequantize, quantizer in (
    (uniform.quantize, uniform.dequantize, fixed),
    (uniform.quantize_dead_zone, uniform.dequantize_dead_zone, dead),
  ):
    ours = quantize(quantizer, values)
    theirs = jax.vmap(lambda v, f=quantize, q=quantizer: f(q, v))(
      jnp.asarray(values)
    )
    assert isinstance(ours, np.ndarray) and isinstance(theirs, jax.Array)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(
      dequantize(quantizer, ours),
      jax.vmap(lambda s, f=dequantize, q=quantizer: f(q, s))(theirs),
      rtol=1e-5,
    )


@settings(deadline=None, max_examples=50)
@given(
  st.floats(-1e6, 1e6, width=32),
  st.floats(2**-7, 1e3, width=32),
  st.floats(0.125, 0.5),
)
def test_dead_zone_error_is_bounded(value, step, rounding):
  quantizer = uniform.DeadZone(step, rounding)
  values = np.array([value], np.float32)
  symbols = uniform.quantize_dead_zone(quantizer, values)
  again = uniform.dequantize_dead_zone(quantizer, symbols)
  # fails if the dead zone is wider than 2 (1 - rounding) steps
  slack = 1e-5 * step + 1e-6 * abs(value)
  assert abs(again[0] - value) <= (1.0 - rounding) * step + slack


def test_huge_values_are_clipped_not_wrapped():
  quantizer = uniform.DeadZone(1e-6)
  values = np.array([1e30, -1e30], np.float32)
  # fails if the cast to int32 overflows
  np.testing.assert_array_equal(
    uniform.quantize_dead_zone(quantizer, values), [2**30, -(2**30)]
  )


def test_straight_through_rounds_and_passes_the_gradient():
  x = jnp.array([-1.5, -0.4, 0.5, 1.7])
  np.testing.assert_array_equal(uniform.round_straight_through(x), jnp.round(x))

  def loss(x):
    return jnp.sum(jnp.square(uniform.round_straight_through(2.0 * x)))

  # fails if the derivative is that of round, 0
  np.testing.assert_allclose(jax.grad(loss)(x), 4.0 * jnp.round(2.0 * x))
  # forward and reverse mode agree, batched and compiled
  tangent = jax.jit(jax.vmap(lambda v: jax.jvp(loss, (v,), (1.0,))[1]))(x)
  np.testing.assert_allclose(tangent, 4.0 * jnp.round(2.0 * x))


@pytest.mark.parametrize(
  "values, num_bits, num_deviations",
  [
    (np.zeros((0, 3)), 5, 3.0),
    (np.array([[np.nan]]), 5, 3.0),
    (np.ones((2, 2)), 0, 3.0),
    (np.ones((2, 2)), 25, 3.0),
    (np.ones((2, 2)), 5, 0.0),
  ],
)
def test_arguments_out_of_range_are_named(values, num_bits, num_deviations):
  with pytest.raises(ValueError, match="values|num_bits|num_deviations"):
    uniform.fit_fixed_width(
      values, num_bits=num_bits, num_deviations=num_deviations
    )
