"""Corrections keep what they promise, whatever was predicted."""

from unittest import mock

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from inrjax.codec import entropy, errors, frequencies, residuals

TABLES = frequencies.laplace_tables(2.0 ** np.arange(-2, 8), radius=40)


@hypothesis.given(
  dtype=st.sampled_from(["int16", "uint8", "float32", "float64"]),
  share=st.floats(1e-3, 2.0),
  seed=st.integers(0, 999),
  spread=st.floats(0, 1),
)
def test_the_bound_is_kept(dtype, share, seed, spread):
  rng = np.random.default_rng(seed)
  low, high = 3.0, 233.0
  values = rng.uniform(low, high, 40)
  values = (np.rint(values) if dtype[0] in "iu" else values).astype(dtype)
  max_error = share * (high - low) / 10
  limits = residuals.bound(max_error, dtype, (low, high))
  predicted = np.clip(values + spread * rng.normal(0, 90, 40), low, high)
  symbols = residuals.quantise(values, predicted, limits)
  # Another machine predicts a little otherwise.
  other = predicted + 4e-6 * (high - low) * rng.uniform(-1, 1, 40)
  decoded = other + limits.step * symbols
  if dtype[0] in "iu":
    decoded = np.rint(decoded)
  decoded = np.clip(decoded, low, high).astype(dtype)
  # Fails if the step, or the part that is kept for rounding, is too large.
  difference = np.abs(decoded.astype(float) - values.astype(float))
  assert difference.max() <= max_error


def test_integers_can_be_kept_exactly():
  limits = residuals.bound(0, "int16", (-32768, 32767))
  values = np.arange(-500, 500, 7)
  predicted = values + np.linspace(-9, 9, len(values))
  decoded = predicted + limits.step * residuals.quantise(
    values, predicted, limits
  )
  np.testing.assert_array_equal(np.rint(decoded), values)


@pytest.mark.parametrize(
  ("max_error", "dtype", "value_range"),
  [
    (0, "float32", (0, 1)),
    (1e-7, "float32", (0, 1)),
    (-1, "int16", (0, 9)),
    (float("nan"), "float64", (0, 1)),
    (float("inf"), "float64", (0, 1)),
    (0, "int32", (-(2**31), 2**31 - 1)),
  ],
)
def test_what_cannot_be_kept_is_refused(max_error, dtype, value_range):
  with pytest.raises(errors.UnsupportedSignalError, match="and more can"):
    residuals.bound(max_error, dtype, value_range)


@hypothesis.given(
  scale=st.sampled_from([0.0, 0.3, 5.0, 900.0]),
  num=st.integers(0, 700),
  part=st.sampled_from([256, 512, 1 << 18]),
)
def test_corrections_come_back(scale, num, part):
  with mock.patch.object(residuals, "_PART", part):
    check_corrections(scale, num)


def check_corrections(scale, num):
  rng = np.random.default_rng(num)
  symbols = np.rint(rng.laplace(0, 1, num) * scale).astype(np.int64)
  coder = entropy.Encoder()
  residuals.write(coder, symbols, TABLES)
  data = coder.finish()
  decoder = entropy.Decoder(data)
  found = residuals.read(decoder, num, TABLES)
  decoder.finish()
  np.testing.assert_array_equal(found, symbols)
  # Fails if the estimate leaves out the tables' numbers, or escapes.
  assert residuals.cost(symbols, TABLES) / 8 == pytest.approx(
    len(data), abs=4, rel=0.02
  )


def test_an_unknown_table_is_a_damaged_stream():
  coder = entropy.Encoder()
  coder.encode_uniform_bits(np.array([63]), 6)
  with pytest.raises(errors.CorruptBitstreamError, match="table 63"):
    residuals.read(entropy.Decoder(coder.finish()), 5, TABLES)
