"""Latent coders: quantisation, rounding and the arrays of a model file."""

import numpy as np
import pytest

from inrjax.codec import (
  coders,
  context_fit,
  entropy,
  errors,
  frequencies,
  transform,
)
from inrjax.quantize import uniform

NUM_FAST = 5
GRID = (6, 7)


@pytest.fixture(scope="module")
def fast():
  rng = np.random.default_rng(0)
  scale = np.exp2(-np.arange(NUM_FAST))
  values = rng.laplace(0, 0.1 * scale, (GRID[0] * GRID[1], NUM_FAST))
  return values.astype(np.float32)


@pytest.fixture(scope="module")
def transform_coder(fast):
  rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
  mapping = transform.fit(fast @ rotation, np.eye(NUM_FAST))
  symbols = np.rint(transform.analyse(mapping, fast @ rotation) / 0.02)
  image = context_fit.CodedImage(
    symbols.astype(np.int64).reshape(*GRID, -1), 48
  )
  model = context_fit.fit([image], num_steps=20)
  return coders.TransformCoder(mapping, model, rounding=0.4, shift=-0.05)


@pytest.fixture(scope="module")
def fixed_coder(fast):
  return coders.fit_fixed_width(fast, num_bits=5, num_deviations=3)


@pytest.fixture(params=["transform_coder", "fixed_coder"])
def coder(request):
  return request.getfixturevalue(request.param)


def settings(coder):
  return {0, coder.num_settings // 2, coder.num_settings - 1}


def test_symbols_come_back_from_the_stream(coder, fast):
  for t in settings(coder):
    symbols = coder.quantise(fast, GRID, t)
    assert symbols.shape[:2] == GRID
    assert np.issubdtype(symbols.dtype, np.integer)
    stream = entropy.Encoder()
    coder.write(stream, symbols, t)
    data = stream.finish()
    reader = entropy.Decoder(data)
    np.testing.assert_array_equal(coder.read(reader, GRID, t), symbols)
    reader.finish()
    # fails if the estimate is of other symbols, tables or units.
    bits = coder.cost(symbols, t)
    assert bits.shape == GRID
    assert abs(bits.sum() - 8 * len(data)) < 32


def test_decoding_is_near_what_was_coded(coder, fast):
  errors_ = []
  for t in sorted(settings(coder)):
    symbols = coder.quantise(fast, GRID, t)
    decoded = coder.dequantise(symbols.reshape(-1, symbols.shape[-1]), t)
    assert decoded.shape == fast.shape and decoded.dtype == np.float32
    errors_.append(np.square(decoded - fast).sum())
  assert errors_ == sorted(errors_, reverse=True)
  assert errors_[-1] < 0.02 * np.square(fast).sum()


def test_the_transform_coder_keeps_to_its_step(transform_coder, fast):
  for t in (20, 60, 100):
    step = coders.step_size(t)
    codes = transform.analyse(transform_coder.transform, fast)
    symbols = transform_coder.quantise(fast, GRID, t)
    decoded = transform_coder.dequantise(symbols.reshape(-1, NUM_FAST), t)
    again = transform.analyse(transform_coder.transform, decoded)
    # The largest error is half the dead zone, 1 - rounding.
    assert np.abs(again - codes).max() <= 0.65 * step
    assert np.abs(again - codes).max() > 0.3 * step


def test_step_sizes_halve_every_octave():
  steps = np.array([coders.step_size(t) for t in range(coders.NUM_STEPS)])
  np.testing.assert_allclose(steps[16:] / steps[:-16], 0.5)
  assert steps[0] == coders.BASE_STEP


@pytest.mark.parametrize("t", [10, 40, 90])
def test_improving_lowers_distortion_plus_rate(transform_coder, fast, t):
  codes = transform.analyse(transform_coder.transform, fast)
  trade_off = transform_coder.trade_off(t)

  def objective(symbols):
    decoded = transform_coder.dequantise(symbols.reshape(-1, NUM_FAST), t)
    # The transform is a rotation here: the error of the codes.
    error = np.square(decoded - fast).sum(axis=1)
    gradient = 2 * (decoded - fast)
    cost = transform_coder.cost(symbols, t)
    return error.sum() + trade_off * cost.sum(), gradient

  symbols = transform_coder.quantise(fast, GRID, t)
  start, gradient = objective(symbols)
  improved = transform_coder.improve(symbols, gradient, t)
  end, _ = objective(improved)
  # fails if the gradient's sign or scale is wrong, or lambda is.
  assert end < start
  step = coders.step_size(t)
  assert (
    np.abs(improved * step - codes.reshape(improved.shape)).max() < 2 * step
  )
  # From far away one step comes back: fails without the gradient.
  far = symbols + 3
  end, _ = objective(transform_coder.improve(far, objective(far)[1], t))
  assert end < start


def test_the_papers_scheme_rounds_once(fixed_coder, fast):
  symbols = fixed_coder.quantise(fast, GRID, 0)
  assert fixed_coder.num_settings == 1 and fixed_coder.trade_off(0) == 0
  assert symbols.min() >= 0 and symbols.max() <= 31
  assert fixed_coder.improve(symbols, np.ones_like(fast), 0) is symbols
  expected = uniform.quantize(fixed_coder.quantizer, fast)
  np.testing.assert_array_equal(symbols.reshape(expected.shape), expected)


def test_the_papers_tables_are_the_training_frequencies(fixed_coder, fast):
  symbols = fixed_coder.quantise(fast, GRID, 0).reshape(-1, NUM_FAST)
  for column in range(NUM_FAST):
    counts = np.bincount(symbols[:, column], minlength=32)
    # fails if columns share a table, or the offset is wrong.
    seen = 16 * counts + 1
    bits = frequencies.cost_bits(np.arange(32), column, fixed_coder.tables)
    np.testing.assert_allclose(2.0**-bits, seen / seen.sum(), atol=1e-4)


def test_values_beyond_the_range_are_clipped_not_escaped(fixed_coder):
  extreme = np.array([[1e6, -1e6, 0, 0, 0]], np.float32)
  symbols = fixed_coder.quantise(extreme, (1, 1), 0)
  assert symbols[0, 0, :2].tolist() == [31, 0]
  assert fixed_coder.cost(symbols, 0).max() < 5 * 12


def test_arrays_bring_the_coder_back(coder, fast):
  arrays = coder.arrays()
  again = coders.from_arrays(arrays)
  assert type(again) is type(coder)
  others = again.arrays()
  assert arrays.keys() == others.keys()
  for name, array in arrays.items():
    assert others[name].dtype == array.dtype, name
    np.testing.assert_array_equal(others[name], array)
  symbols = coder.quantise(fast, GRID, 0)
  np.testing.assert_array_equal(again.quantise(fast, GRID, 0), symbols)


def test_missing_arrays_are_noticed(coder):
  arrays = coder.arrays()
  for name in arrays:
    others = {k: v for k, v in arrays.items() if k != name}
    with pytest.raises((KeyError, errors.CodecError)):
      coders.from_arrays(others)


def test_too_many_bits_for_a_table_are_refused(fast):
  with pytest.raises(errors.CodecError, match="columns"):
    frequencies.from_counts(
      np.ones((1, 2**20 + 2), np.int64), offset=1, precision=20
    )
  with pytest.raises(ValueError, match="num_bits"):
    coders.fit_fixed_width(fast, num_bits=0, num_deviations=3)
