"""Arrays in, arrays out."""

import numpy as np
import pytest

from inrjax.codec import errors, signal_spec, signals


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize(
  ("shape", "channels"), [((5, 4, 3), 3), ((5, 4), 1), ((1, 1, 1), 1)]
)
def test_types_and_shapes_come_back(dtype, shape, channels):
  array = np.random.default_rng(0).random(shape, np.float32)
  if dtype.startswith("uint"):
    array = array * np.iinfo(dtype).max
  array = array.astype(dtype)
  unit, spec = signals.to_unit(array, channels)
  assert unit.shape == (*shape[:2], channels) and unit.dtype == np.float32
  assert unit.min() >= 0 and unit.max() <= 1
  assert spec == signal_spec.SignalSpec("image", shape, dtype)
  again = signals.from_unit(unit, spec)
  np.testing.assert_array_equal(again, array)
  assert again.dtype == array.dtype and again.shape == array.shape
  assert signals.check_image_spec(spec, channels) == shape[:2]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_integer_comes_back(dtype):
  # fails if values are truncated, or 256 levels are assumed.
  every = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)[None, :, None]
  unit, spec = signals.to_unit(every, 1)
  assert unit.max() == 1
  np.testing.assert_array_equal(signals.from_unit(unit, spec), every)


def test_other_byte_orders_and_strides_are_taken():
  array = np.arange(24, dtype=">u2").reshape(2, 4, 3)[:, ::-1]
  unit, spec = signals.to_unit(array, 3)
  assert spec.dtype == "uint16"
  np.testing.assert_array_equal(signals.from_unit(unit, spec), array)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_values_beyond_the_range_are_clipped(dtype):
  spec = signal_spec.SignalSpec("image", (1, 4), dtype)
  values = np.array([-3, 1.5, np.inf, -np.inf], np.float32).reshape(1, 4, 1)
  top = signal_spec.NATURAL_RANGES[dtype][1]
  # fails if 1.5 wraps around.
  expected = np.array([[0, top, top, 0]])
  np.testing.assert_array_equal(signals.from_unit(values, spec), expected)


@pytest.mark.parametrize(
  "array",
  [
    np.zeros((4, 4, 3), np.int32),
    np.zeros((4, 4, 4), np.uint8),
    np.zeros((4, 4), np.uint8),
    np.zeros((0, 4, 3), np.uint8),
    np.zeros((2, 4, 4, 3), np.uint8),
    np.full((4, 4, 3), np.nan, np.float32),
    np.full((4, 4, 3), 1.001, np.float32),
    np.full((4, 4, 3), -0.001),
    [["a"]],
  ],
)
def test_what_is_no_image_of_the_model_is_refused(array):
  with pytest.raises(errors.UnsupportedSignalError):
    signals.to_unit(array, 3)


@pytest.mark.parametrize(
  "spec",
  [
    signal_spec.SignalSpec("video", (4, 4, 3)),
    signal_spec.SignalSpec("image", (4, 4)),
    signal_spec.SignalSpec("image", (4, 3)),
    signal_spec.SignalSpec("image", (4, 4, 1)),
    signal_spec.SignalSpec("image", (4, 4, 4, 3)),
    signal_spec.SignalSpec("image", (4,)),
    signal_spec.SignalSpec("image", (4, 4, 3), "int16"),
    # fails if a range that would not be given back is let through.
    signal_spec.SignalSpec("image", (4, 4, 3), "uint16", (0.0, 4095.0)),
  ],
)
def test_specifications_that_no_encoder_writes_are_refused(spec):
  with pytest.raises(errors.CorruptBitstreamError, match="cannot have"):
    signals.check_image_spec(spec, 3)
