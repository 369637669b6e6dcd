"""Latent coders: from fast parameters to bytes and back.

Two values of one protocol: `TransformCoder`, whose one step size serves a range
of rates, and `FixedWidthCoder`, the papers' uniform quantiser with a static
entropy model, kept as the reference.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from inrjax.codec import context, entropy, frequencies, transform
from inrjax.quantize import uniform

# Step sizes: BASE_STEP 2^(-t / STEPS_PER_OCTAVE), t the step index. A step of
# 1/50 gives about 27 dB on photographs.
BASE_STEP = 0.16
STEPS_PER_OCTAVE = 16
NUM_STEPS = 128
# Rate-distortion trade-off of rounding: dD/dR of a uniform quantiser is
# -(2 ln 2 / 12) step^2 at high rates and grows towards low ones.
_LAMBDA = 0.14


class Coder(Protocol):
  """What the codec asks of a latent coder. `t` is the step index."""

  @property
  def num_settings(self) -> int:
    """Number of step indices; coarse to fine."""
    ...

  def quantise(
    self, fast: np.ndarray, grid: tuple[int, int], t: int
  ) -> np.ndarray:
    """`[rows columns, L]` to `[rows, columns, L']` symbols."""
    ...

  def dequantise(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """`[n, L']` symbols to `[n, L]` fast parameters."""
    ...

  def improve(
    self, symbols: np.ndarray, gradient: np.ndarray, t: int
  ) -> np.ndarray:
    """Symbols nearer to the optimum of distortion + lambda rate.

    Args:
      symbols: `[rows, columns, L']`.
      gradient: `[rows columns, L]` of each tile's mean squared error, at what
        the symbols decode to.
      t: the step index.

    Returns:
      `[rows, columns, L']`.
    """
    ...

  def cost(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """Estimated bits of every tile, `[rows, columns]`."""
    ...

  def trade_off(self, t: int) -> float:
    """lambda: mean squared error that a bit of a tile is worth."""
    ...

  def write(self, coder: entropy.Encoder, symbols: np.ndarray, t: int) -> None:
    """Appends the symbols to a stream."""
    ...

  def read(
    self, coder: entropy.Decoder, grid: tuple[int, int], t: int
  ) -> np.ndarray:
    """Reads `[rows, columns, L']` symbols."""
    ...

  def arrays(self) -> dict[str, np.ndarray]:
    """What the model file keeps."""
    ...


class TransformCoder(NamedTuple):
  """Transform, dead zone and context model.

  Attributes:
    transform: to codes in the reconstruction's metric.
    model: of the symbols.
    rounding: offset of the dead-zone quantiser, 0.5 for none.
    shift: of the reconstruction points, in steps.
  """

  transform: transform.Transform
  model: context.ContextModel
  rounding: float = 0.36
  shift: float = 0.0

  @property
  def num_settings(self) -> int:
    """Number of step indices; coarse to fine."""
    return NUM_STEPS

  def trade_off(self, t: int) -> float:
    """lambda: mean squared error that a bit of a tile is worth."""
    return _LAMBDA * step_size(t) ** 2

  def quantise(
    self, fast: np.ndarray, grid: tuple[int, int], t: int
  ) -> np.ndarray:
    """`[rows columns, L]` to `[rows, columns, L']` symbols."""
    codes = transform.analyse(self.transform, fast)
    symbols = uniform.quantize_dead_zone(self._quantizer(t), codes)
    return symbols.reshape(*grid, -1).astype(np.int64)

  def dequantise(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """`[n, L']` symbols to `[n, L]` fast parameters."""
    codes = uniform.dequantize_dead_zone(self._quantizer(t), symbols)
    return transform.synthesise(self.transform, codes)

  def improve(
    self, symbols: np.ndarray, gradient: np.ndarray, t: int
  ) -> np.ndarray:
    """Symbols nearer to the optimum; see `Coder.improve`."""
    # In these coordinates the Hessian is near 2 I: a Newton step is -g / 2.
    step = step_size(t)
    in_codes = gradient @ self.transform.synthesis
    magnitude = np.abs(symbols)
    decoded = symbols + self.shift * np.sign(symbols)
    ideal = decoded - 0.5 * in_codes.reshape(symbols.shape) / step
    classes, means = context.contexts(self.model, symbols, t)
    nearest = np.rint(ideal).astype(np.int64)
    toward = nearest - np.sign(nearest)
    best, best_cost = symbols, None
    for candidate in (nearest, toward, np.zeros_like(magnitude)):
      level = candidate + self.shift * np.sign(candidate)
      bits = frequencies.cost_bits(
        candidate - means, classes, self.model.tables
      )
      cost = np.square(ideal - level) + _LAMBDA * bits
      if best_cost is None:
        best, best_cost = candidate, cost
      else:
        better = cost < best_cost
        best = np.where(better, candidate, best)
        best_cost = np.where(better, cost, best_cost)
    return best

  def cost(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """Estimated bits of every tile, `[rows, columns]`."""
    classes, means = context.contexts(self.model, symbols, t)
    return frequencies.cost_bits(
      symbols - means, classes, self.model.tables
    ).sum(axis=-1)

  def write(self, coder: entropy.Encoder, symbols: np.ndarray, t: int) -> None:
    """Appends the symbols to a stream."""
    context.encode(coder, self.model, symbols, t)

  def read(
    self, coder: entropy.Decoder, grid: tuple[int, int], t: int
  ) -> np.ndarray:
    """Reads `[rows, columns, L']` symbols."""
    return context.decode(coder, self.model, grid, t)

  def arrays(self) -> dict[str, np.ndarray]:
    """What the model file keeps; see `from_arrays`."""
    model = self.model._asdict()
    tables = model.pop("tables")
    named = {f"transform/{k}": v for k, v in self.transform._asdict().items()}
    named |= {f"context/{k}": v for k, v in model.items()}
    return (
      named
      | _table_arrays(tables)
      | {"quantiser": np.array([self.rounding, self.shift], np.float64)}
    )

  def _quantizer(self, t: int) -> uniform.DeadZone:
    return uniform.DeadZone(np.float32(step_size(t)), self.rounding, self.shift)


class FixedWidthCoder(NamedTuple):
  """COIN++ 5.2.3 and MSCN D.1: b bits per modulation, static frequencies.

  Attributes:
    quantizer: mean, deviation, range and bits of every modulation.
    tables: one table per modulation.
  """

  quantizer: uniform.FixedWidth
  tables: frequencies.FrequencyTables

  @property
  def num_settings(self) -> int:
    """One: the bits are fixed when the model is fitted."""
    return 1

  def trade_off(self, t: int) -> float:
    """Zero: there is no choice to make."""
    del t
    return 0.0

  def quantise(
    self, fast: np.ndarray, grid: tuple[int, int], t: int
  ) -> np.ndarray:
    """`[rows columns, L]` to `[rows, columns, L']` symbols."""
    del t
    symbols = np.asarray(uniform.quantize(self.quantizer, fast))
    return symbols.reshape(*grid, -1).astype(np.int64)

  def dequantise(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """`[n, L']` symbols to `[n, L]` fast parameters."""
    del t
    return np.asarray(uniform.dequantize(self.quantizer, symbols), np.float32)

  def improve(
    self, symbols: np.ndarray, gradient: np.ndarray, t: int
  ) -> np.ndarray:
    """The symbols as they are: the papers round once."""
    del gradient, t
    return symbols

  def cost(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """Estimated bits of every tile, `[rows, columns]`."""
    del t
    return frequencies.cost_bits(
      symbols, np.arange(symbols.shape[-1]), self.tables
    ).sum(axis=-1)

  def write(self, coder: entropy.Encoder, symbols: np.ndarray, t: int) -> None:
    """Appends the symbols to a stream."""
    del t
    index = np.broadcast_to(np.arange(symbols.shape[-1]), symbols.shape)
    coder.encode(symbols.ravel(), index.ravel(), self.tables)

  def read(
    self, coder: entropy.Decoder, grid: tuple[int, int], t: int
  ) -> np.ndarray:
    """Reads `[rows, columns, L']` symbols."""
    del t
    shape = (*grid, self.tables.num_tables)
    index = np.broadcast_to(np.arange(shape[-1]), shape)
    return coder.decode(index.ravel(), self.tables).reshape(shape)

  def arrays(self) -> dict[str, np.ndarray]:
    """What the model file keeps; see `from_arrays`."""
    named = {
      f"fixed_width/{k}": np.asarray(v)
      for k, v in self.quantizer._asdict().items()
    }
    return named | _table_arrays(self.tables)


def step_size(t: int) -> float:
  """The quantiser's step, in root mean squared error of the reconstruction."""
  return BASE_STEP * 2.0 ** (-t / STEPS_PER_OCTAVE)


def fit_fixed_width(
  fast: np.ndarray, *, num_bits: int, num_deviations: float
) -> FixedWidthCoder:
  """The papers' quantiser, and frequencies counted on the training set.

  Args:
    fast: `[n, L]` fast parameters of the training set.
    num_bits: b.
    num_deviations: omega.
  """
  quantizer = uniform.fit_fixed_width(
    fast, num_bits=num_bits, num_deviations=float(num_deviations)
  )
  symbols = np.asarray(uniform.quantize(quantizer, fast))
  # One spare column at each end, so that no symbol is an escape.
  counts = np.zeros((fast.shape[1], 2**num_bits + 2), np.int64)
  index = np.broadcast_to(np.arange(fast.shape[1]), symbols.shape)
  np.add.at(counts, (index.ravel(), symbols.ravel() + 1), 16)
  counts[:, 1:-1] += 1
  return FixedWidthCoder(quantizer, frequencies.from_counts(counts, offset=1))


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Coder:
  """The coder that `Coder.arrays` described.

  Raises:
    KeyError, CodecError: if something is missing or unusable.
  """
  tables = frequencies.FrequencyTables(
    arrays["tables/freq"],
    int(arrays["tables/layout"][0]),
    int(arrays["tables/layout"][1]),
  )
  if "quantiser" in arrays:
    rounding, shift = arrays["quantiser"].tolist()
    model = _named(context.ContextModel, "context", arrays, tables=tables)
    return TransformCoder(
      _named(transform.Transform, "transform", arrays), model, rounding, shift
    )
  quantizer = uniform.FixedWidth(
    arrays["fixed_width/mean"],
    arrays["fixed_width/deviation"],
    float(arrays["fixed_width/num_deviations"]),
    int(arrays["fixed_width/num_bits"]),
  )
  return FixedWidthCoder(quantizer, tables)


def _table_arrays(tables: frequencies.FrequencyTables) -> dict[str, Any]:
  return {
    "tables/freq": tables.freq,
    "tables/layout": np.array([tables.offset, tables.precision], np.int32),
  }


def _named(
  cls: Any, prefix: str, arrays: Mapping[str, np.ndarray], **others: Any
) -> Any:
  fields = [name for name in cls._fields if name not in others]
  return cls(**{n: arrays[f"{prefix}/{n}"] for n in fields}, **others)
