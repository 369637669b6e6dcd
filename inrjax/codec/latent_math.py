"""Elementary functions that give the same bits on every machine.

The exponential of a C library, and NumPy's own, differ in the last bit from one
machine to the next, and tables of frequencies that are computed where a stream
is read must not. Here everything is made of float64 additions, multiplications,
divisions and roundings, which IEEE 754 defines to the last bit, one NumPy call
each, so that no compiler joins two of them; and of no sum whose order is left
open.

All functions take and return float64 arrays, with errors of some 1e-15.
"""

import numpy as np

LN2 = 0.6931471805599453
_LOG2_E = 1.4426950408889634
# ln 2 in two parts; products of the first with integers below 2^11 are exact.
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
_LARGEST_EXPONENT = 700.0
_EXP_TERMS = 14
_LOG_TERMS = 18
_ROOT_TWO_PI = 2.5066282746310002
# Below, the series of the normal distribution; above, its continued fraction.
_SERIES_END = 3.0
_SERIES_TERMS = 40
_FRACTION_TERMS = 80


def exp(x: np.ndarray) -> np.ndarray:
  """The exponential; arguments beyond +-700 are taken for +-700."""
  x = np.clip(np.asarray(x, np.float64), -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
  whole = np.rint(x * _LOG2_E)
  rest = x - whole * _LN2_HIGH
  rest = rest - whole * _LN2_LOW
  total = np.ones_like(rest)
  for n in range(_EXP_TERMS, 0, -1):
    total = total * rest
    total = total / n
    total = total + 1.0
  return np.ldexp(total, whole.astype(np.int32))


def sigmoid(x: np.ndarray) -> np.ndarray:
  """`1 / (1 + exp(-x))`, accurate where it is small."""
  x = np.asarray(x, np.float64)
  tail = exp(-np.abs(x))
  return np.where(x < 0, tail, 1.0) / (1.0 + tail)


def tanh(x: np.ndarray) -> np.ndarray:
  """The hyperbolic tangent."""
  x = np.asarray(x, np.float64)
  tail = exp(-2.0 * np.abs(x))
  return np.copysign((1.0 - tail) / (1.0 + tail), x)


def softplus(x: np.ndarray) -> np.ndarray:
  """`log(1 + exp(x))`."""
  x = np.asarray(x, np.float64)
  tail = exp(-np.abs(x))
  # log(1 + y) = 2 artanh(y / (2 + y)), whose argument is at most a third.
  s = tail / (2.0 + tail)
  square = s * s
  total = np.zeros_like(s)
  for n in range(_LOG_TERMS, -1, -1):
    total = total * square
    total = total + 1.0 / (2 * n + 1)
  return np.maximum(x, 0.0) + (2.0 * s) * total


def normal_tail(x: np.ndarray) -> np.ndarray:
  """`P(X > x)` of a standard normal variable at `x >= 0`."""
  x = np.asarray(x, np.float64)
  # Two roundings of x^2 / 2 would be magnified by the exponential.
  density = exp(-0.5 * (x * x)) / _ROOT_TWO_PI
  small = np.minimum(x, _SERIES_END)
  square = small * small
  total = np.ones_like(small)
  for n in range(_SERIES_TERMS, 0, -1):
    total = total * square
    total = total / (2 * n + 1)
    total = total + 1.0
  large = np.maximum(x, _SERIES_END)
  fraction = large
  for n in range(_FRACTION_TERMS, 0, -1):
    fraction = large + n / fraction
  series = 0.5 - (density * small) * total
  return np.where(x < _SERIES_END, series, density / fraction)
