"""Uniform quantisers: the papers' fixed-width one, and one with a dead zone.

Every function takes NumPy or JAX arrays and answers in kind, so a codec runs
them on the host and a training step traces the same code. Statistics and steps
broadcast under NumPy; under JAX write `vmap` for leading axes. Values must be
finite: a codec checks that where signals enter.
"""

from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from inrjax.types import Array

# Symbols of the dead-zone quantiser stay within this, far inside int32.
MAX_SYMBOL = 1 << 30

# In and out alike: a NumPy array or a JAX one.
T = TypeVar("T", Array, np.ndarray)


class FixedWidth(NamedTuple):
  """Quantises to `2^num_bits` values over a range around the mean.

  Attributes:
    mean: `[L]` or scalar mean over the training set.
    deviation: `[L]` or scalar standard deviation over the training set.
    num_deviations: half the width of the range in deviations, omega.
    num_bits: bits per value, b, at most 24.
  """

  mean: Any
  deviation: Any
  num_deviations: float
  num_bits: int


class DeadZone(NamedTuple):
  """Quantises to `sign(x) floor(|x| / step + rounding)`.

  Zero gets `2 (1 - rounding)` steps, every other symbol one.

  Attributes:
    step: the step size, positive; scalar or `[L]`.
    rounding: rounding offset in `(0, 0.5]`; 0.5 rounds to the nearest.
    shift: a symbol q other than 0 is reconstructed at
      `sign(q) (|q| + shift) step`; see `fit_shift`.
  """

  step: Any
  rounding: float = 0.5
  shift: float = 0.0


def fit_fixed_width(
  values: np.ndarray, *, num_bits: int, num_deviations: float
) -> FixedWidth:
  """Fits a quantiser per column, as COIN++ and MSCN do.

  Args:
    values: `[n, L]` fast parameters of the training set.
    num_bits: bits per value, b, in `[1, 24]`.
    num_deviations: omega; 3 in COIN++, larger in MSCN (appendix D.1), whose
      modulations have fat tails.

  Returns:
    The quantiser, with float32 `[L]` statistics.

  Raises:
    ValueError: if an argument is out of range.
  """
  _check(values, num_bits, num_deviations)
  return FixedWidth(
    mean=values.mean(axis=0, dtype=np.float64).astype(np.float32),
    deviation=values.std(axis=0, dtype=np.float64).astype(np.float32),
    num_deviations=num_deviations,
    num_bits=num_bits,
  )


def fit_coin(values: np.ndarray, *, num_bits: int) -> FixedWidth:
  """Fits COIN's quantiser to one group of parameters of one network.

  The range is `k = 3 + 3 (b - 1) / 15` deviations of the group; weights and
  biases are a group each (appendix C.3.1 of Alizadeh's thesis).

  Args:
    values: all weights, or all biases, of any shape.
    num_bits: bits per value, b, in `[1, 24]`.

  Returns:
    The quantiser, with scalar float32 statistics, which are side information.

  Raises:
    ValueError: if an argument is out of range.
  """
  num_deviations = coin_num_deviations(num_bits)
  _check(values, num_bits, num_deviations)
  return FixedWidth(
    mean=np.float32(values.mean(dtype=np.float64)),
    deviation=np.float32(values.std(dtype=np.float64)),
    num_deviations=num_deviations,
    num_bits=num_bits,
  )


def coin_num_deviations(num_bits: int) -> float:
  """Half the width of COIN's range: 3 deviations at 1 bit, 6 at 16."""
  return 3.0 + 3.0 * (num_bits - 1) / 15.0


def quantize(quantizer: FixedWidth, values: T) -> T:
  """Normalises, clips and rounds: appendix D.1 of Schwarz & Teh (2022).

  Args:
    quantizer: with statistics that broadcast against the values.
    values: `[..., L]` finite floats.

  Returns:
    `[..., L]` int32 in `[0, 2^b - 1]`.
  """
  return _namespace(values).round(_position(quantizer, values)).astype(np.int32)


def dequantize(quantizer: FixedWidth, symbols: T) -> T:
  """The values that symbols stand for.

  Args:
    quantizer: as in `quantize`.
    symbols: `[..., L]` integers in `[0, 2^b - 1]`.

  Returns:
    `[..., L]` float32.
  """
  unit = symbols.astype(np.float32) / np.float32(2**quantizer.num_bits - 1)
  normalised = (unit - 0.5) * (2.0 * quantizer.num_deviations)
  return (quantizer.mean + quantizer.deviation * normalised).astype(np.float32)


def straight_through(quantizer: FixedWidth, values: Array) -> Array:
  """What a decoder sees of values that go on learning (Bengio et al., 2013).

  Args:
    quantizer: with statistics that broadcast against the values.
    values: `[..., L]` floats.

  Returns:
    `dequantize(quantize(values))`, whose derivative is taken to be 1 inside the
    quantiser's range and 0 outside, and where the deviation is 0.
  """
  return dequantize(
    quantizer, round_straight_through(_position(quantizer, values))
  )


def quantize_dead_zone(quantizer: DeadZone, values: T) -> T:
  """Quantises with a dead zone.

  Args:
    quantizer: the step and the rounding offset.
    values: `[...]` finite floats.

  Returns:
    `[...]` int32, clipped to `[-2^30, 2^30]`.
  """
  xp = _namespace(values)
  magnitude = xp.floor(xp.abs(values) / quantizer.step + quantizer.rounding)
  magnitude = xp.minimum(magnitude, float(MAX_SYMBOL))
  return (xp.sign(values) * magnitude).astype(np.int32)


def dequantize_dead_zone(quantizer: DeadZone, symbols: T) -> T:
  """The values that symbols stand for.

  Args:
    quantizer: the step and the reconstruction shift.
    symbols: `[...]` integers.

  Returns:
    `[...]` float32.
  """
  xp = _namespace(symbols)
  numbers = symbols.astype(np.float32)
  shifted = numbers + quantizer.shift * xp.sign(numbers)
  return (shifted * quantizer.step).astype(np.float32)


def fit_shift(quantizer: DeadZone, values: np.ndarray) -> DeadZone:
  """Moves the reconstruction points to where the values are, on average.

  With a density that falls from zero, that is below the middle of a bin.

  Args:
    quantizer: its shift is ignored.
    values: `[...]` values of the training set that broadcast with the step.

  Returns:
    The quantiser with the shift of least squared error over the values that do
    not become 0, or of 0 if all do.
  """
  magnitude = np.abs(values) / quantizer.step
  symbols = np.abs(quantize_dead_zone(quantizer, values))
  # Squared error counts in units of the values, so a step weighs its square.
  weight = np.broadcast_to(np.square(quantizer.step), values.shape)
  weight = np.where(symbols > 0, weight, 0.0)
  total = weight.sum(dtype=np.float64)
  if total == 0.0:
    return quantizer._replace(shift=0.0)
  error = (weight * (magnitude - symbols)).sum(dtype=np.float64)
  return quantizer._replace(shift=float(error / total))


@jax.custom_jvp
def round_straight_through(x: Array) -> Array:
  """Rounds half to even; its derivative is taken to be 1.

  Bengio et al. (2013), "Estimating or propagating gradients through stochastic
  neurons".

  Args:
    x: floats of any shape.

  Returns:
    The nearest integers, same shape and dtype.
  """
  return jnp.round(x)


@round_straight_through.defjvp
def _round_straight_through_jvp(
  primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
  return round_straight_through(*primals), tangents[0]


def _position(quantizer: FixedWidth, values: T) -> T:
  """Where clipped values lie on the scale of the symbols, not rounded."""
  xp = _namespace(values)
  omega = quantizer.num_deviations
  # A value that never varied has nothing to be normalised by.
  deviation = xp.where(quantizer.deviation > 0, quantizer.deviation, 1.0)
  normalised = xp.clip((values - quantizer.mean) / deviation, -omega, omega)
  unit = 0.5 + normalised / (2.0 * omega)
  return unit * (2**quantizer.num_bits - 1)  # type: ignore[no-any-return]


def _namespace(array: Any) -> Any:
  """`numpy` or `jax.numpy`, whichever the array belongs to."""
  return jnp if isinstance(array, jax.Array) else np


def _check(values: np.ndarray, num_bits: int, num_deviations: float) -> None:
  if values.size == 0 or not np.all(np.isfinite(values)):
    raise ValueError(
      "a quantiser is fitted to finite values and at least one of them, got"
      f" shape {values.shape}: check that training converged"
    )
  if not 1 <= num_bits <= 24:
    raise ValueError(f"num_bits must lie in [1, 24], got {num_bits}")
  if not num_deviations > 0:
    raise ValueError(f"num_deviations must be positive, got {num_deviations}")
