"""From the weights of a COIN to bytes and back.

At 16 bits a weight is a half-precision float, stored as it is (thesis 5.3.1).
At b < 16 bits weights and biases are rounded uniformly, apart from each other,
over k(b) deviations (appendix C.3.1); the two means and deviations are the side
information, and the symbols are range coded: their upper bits (at most eight)
under Student's t of five degrees of freedom, whose scale is chosen for each
array of parameters, the rest as they are. The tables are computed in integers,
so they belong to no model file and are the same everywhere.
"""

import functools
import struct
from typing import NamedTuple

import numpy as np

from inrjax.codec import coin_spec, entropy, errors
from inrjax.codec import frequencies as frequencies_lib
from inrjax.quantize import uniform

# Two means and two deviations.
_STATISTICS = struct.Struct(">4f")
_CODED_BITS = 8
# Scales 2^(i / 2) / 2 symbols, from half a symbol to as good as uniform.
_NUM_SCALES = 18
_SCALE_BITS = 5


class Quantised(NamedTuple):
  """Rounded weights.

  Attributes:
    symbols: `[L]` int64 in `[0, 2^b)`; at 16 bits the floats' own bits.
    side: side information, empty at 16 bits.
  """

  symbols: np.ndarray
  side: bytes


class WeightCoder(NamedTuple):
  """Codes the weights of one architecture.

  Attributes:
    is_bias: `[L]` bool.
    leaf: `[L]` index of the array that a parameter belongs to, from 0.
  """

  is_bias: np.ndarray
  leaf: np.ndarray

  def quantise(self, params: np.ndarray, num_bits: int) -> Quantised:
    """Rounds `[L]` finite parameters."""
    if num_bits == coin_spec.MAX_BITS:
      top = np.finfo(np.float16).max
      halves = np.clip(params, -top, top).astype(np.float16)
      return Quantised(halves.view(np.uint16).astype(np.int64), b"")
    symbols = np.empty(params.shape, np.int64)
    statistics = []
    for group in (~self.is_bias, self.is_bias):
      quantizer = uniform.fit_coin(params[group], num_bits=num_bits)
      symbols[group] = uniform.quantize(quantizer, params[group])
      statistics += [quantizer.mean, quantizer.deviation]
    return Quantised(symbols, _STATISTICS.pack(*statistics))

  def dequantise(self, quantised: Quantised, num_bits: int) -> np.ndarray:
    """The parameters `[L]` float32 that symbols stand for.

    Raises:
      CorruptBitstreamError: if they are not finite, or the side information
        is not what this coder writes.
    """
    symbols, side = quantised
    _check_length("side information", side, side_length(num_bits))
    if num_bits == coin_spec.MAX_BITS:
      halves = symbols.astype(np.uint16).view(np.float16)
      return _checked_finite(halves.astype(np.float32))
    statistics = np.array(_STATISTICS.unpack(side), np.float32)
    if not np.all(np.isfinite(statistics)) or statistics[1::2].min() < 0:
      raise errors.CorruptBitstreamError(
        f"the weights' means and deviations {statistics.tolist()} are none: "
        "the stream is damaged"
      )
    omega = uniform.coin_num_deviations(num_bits)
    params = np.empty(symbols.shape, np.float32)
    groups = (~self.is_bias, self.is_bias)
    for group, (mean, deviation) in zip(
      groups, statistics.reshape(2, 2), strict=True
    ):
      quantizer = uniform.FixedWidth(mean, deviation, omega, num_bits)
      # A deviation near the largest float is only found in a hostile stream.
      with np.errstate(over="ignore", invalid="ignore"):
        params[group] = uniform.dequantize(quantizer, symbols[group])
    return _checked_finite(params)

  def write(self, symbols: np.ndarray, num_bits: int) -> bytes:
    """The payload of `[L]` symbols."""
    if num_bits == coin_spec.MAX_BITS:
      return symbols.astype(">u2").tobytes()
    upper, lower, num_lower = _split(symbols, num_bits)
    tables = _tables(num_bits - num_lower)
    scales = self._scales(upper, tables)
    coder = entropy.Encoder()
    coder.encode_uniform_bits(scales, _SCALE_BITS)
    coder.encode_uniform_bits(lower, num_lower)
    coder.encode(upper, scales[self.leaf], tables)
    return coder.finish()

  def read(self, payload: bytes, num_bits: int) -> np.ndarray:
    """The symbols `[L]` int64 of a payload.

    Raises:
      CorruptBitstreamError: if no encoder can have written it.
    """
    if num_bits == coin_spec.MAX_BITS:
      _check_length("payload", payload, 2 * self.leaf.size)
      return np.frombuffer(payload, ">u2").astype(np.int64)
    num_lower = max(0, num_bits - _CODED_BITS)
    tables = _tables(num_bits - num_lower)
    coder = entropy.Decoder(payload)
    scales = coder.decode_uniform_bits(self._num_leaves, _SCALE_BITS)
    if scales.max() >= _NUM_SCALES:
      raise errors.CorruptBitstreamError(
        f"there is no frequency table {scales.max()}: the stream is damaged"
      )
    lower = coder.decode_uniform_bits(self.leaf.size, num_lower)
    upper = coder.decode(scales[self.leaf], tables).astype(np.int64)
    coder.finish()
    symbols = ((upper + tables.offset - 1) << num_lower) | lower
    if symbols.min() < 0 or symbols.max() >= 1 << num_bits:
      raise errors.CorruptBitstreamError(
        f"a symbol leaves {num_bits} bits: the stream is damaged"
      )
    return symbols

  def cost(self, symbols: np.ndarray, num_bits: int) -> float:
    """Estimated bits of the payload."""
    if num_bits == coin_spec.MAX_BITS:
      return float(num_bits * symbols.size)
    upper, _, num_lower = _split(symbols, num_bits)
    tables = _tables(num_bits - num_lower)
    scales = self._scales(upper, tables)
    bits = frequencies_lib.cost_bits(upper, scales[self.leaf], tables).sum()
    return float(
      bits + num_lower * symbols.size + _SCALE_BITS * self._num_leaves
    )

  @property
  def _num_leaves(self) -> int:
    return int(self.leaf[-1]) + 1

  def _scales(
    self, upper: np.ndarray, tables: frequencies_lib.FrequencyTables
  ) -> np.ndarray:
    """The cheapest table for each array of parameters."""
    starts = np.flatnonzero(np.diff(self.leaf, prepend=-1))
    costs = [
      np.add.reduceat(bits[upper + tables.offset], starts)
      for bits in tables.bits
    ]
    return np.argmin(costs, axis=0)


def side_length(num_bits: int) -> int:
  """Bytes of side information at a width."""
  return 0 if num_bits == coin_spec.MAX_BITS else _STATISTICS.size


def _split(
  symbols: np.ndarray, num_bits: int
) -> tuple[np.ndarray, np.ndarray, int]:
  """The upper bits around zero, the lower ones, and how many these are."""
  num_lower = max(0, num_bits - _CODED_BITS)
  half = 1 << (num_bits - num_lower - 1)
  lower = symbols & ((1 << num_lower) - 1)
  return (symbols >> num_lower) - half, lower, num_lower


@functools.cache
def _tables(num_bits: int) -> frequencies_lib.FrequencyTables:
  """Student's t, 1 / (s^2 + x^2)^3, for symbols of b bits around zero.

  Columns -2^(b-1) to 2^(b-1) - 1 stand for their middles, half a symbol above;
  a spare one at each end is the escape, which nothing takes.
  """
  half = 1 << (num_bits - 1)
  counts = []
  for index in range(_NUM_SCALES):
    square = 1 << index  # s^2, in half symbols.
    row = [
      (square**3 << 40) // (square + (2 * column + 1) ** 2) ** 3
      for column in range(-half, half)
    ]
    counts.append([0, *row, 0])
  return frequencies_lib.from_counts(
    np.array(counts, np.int64), offset=half + 1
  )


def _check_length(what: str, data: bytes, expected: int) -> None:
  if len(data) != expected:
    raise errors.CorruptBitstreamError(
      f"the {what} of the weights has {len(data)} bytes and not {expected}: the"
      " stream is damaged, or was written with another model"
    )


def _checked_finite(params: np.ndarray) -> np.ndarray:
  if not np.all(np.isfinite(params)):
    raise errors.CorruptBitstreamError(
      "a weight is not finite: the stream is damaged"
    )
  return params
