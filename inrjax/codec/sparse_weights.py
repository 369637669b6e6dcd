"""From changes of weights to symbols and bytes, and back.

The change d of stored parameter w, a number for each tile, is rounded to

  q = dead zone((d - mean_w) / (scale_w step(t)))

where scale_w = E[sum of J_w^2 / (N C)]^(-1/2) makes one unit of every parameter
do the same to the reconstruction, so that one step serves all, and step(t)
falls by an octave every 16 settings. A symbol is coded under the table that
belongs to the deviation its parameter had over the training set, moved by a
*shift* that each tile sends for each tensor. Which table that is, is found in
integers.

If tiles prune, a bit says for each tile whether it has a pattern of its own,
then which parameters survive, under tables that depend on the tensor and on how
large |theta0| is: magnitude pruning rarely removes large weights.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from inrjax.codec import container, entropy, errors, frequencies
from inrjax.quantize import uniform

STEPS_PER_OCTAVE = 16
NUM_STEPS = 128
# Classes of deviation: 2^(k / 4 - 6) steps, up to 2^7.
_CLASSES_PER_OCTAVE = 4
_FIRST_OCTAVE = -6
NUM_CLASSES = 52
RADIUS = 127
# A tile moves the classes of a tensor by (shift - 8) half octaves.
NUM_SHIFTS = 16
_SHIFT_LEVELS = STEPS_PER_OCTAVE // 2
# Levels of deviation that a model may hold.
MAX_LEVEL = 1 << 12
# |theta0| is ranked among the parameters of its tensor, in this many parts.
NUM_RANKS = 8
# Rate-distortion trade-off of rounding; see `coders`.
_LAMBDA = 0.14
# Symbols that are coded at a time.
_PART_SYMBOLS = 1 << 22
# Symbols of an image: what does not fit is refused before it is allocated.
_MAX_SYMBOLS = container.DEFAULT_MAX_VALUES >> 1
_LARGEST = 1 << 20


class SparseCoder(NamedTuple):
  """Codes the tiles of one model.

  Attributes:
    group: `[L]` the tensor of each parameter, from 0, rising.
    mean: `[L]` float32 mean change.
    scale: `[L]` float32, change that moves the values by one, in the mean.
    level: `[L]` int16, deviation in `base_step` as 16 log2.
    base_step: step at setting 0.
    rounding: offset of the dead zone, 0.5 for none.
    shift: of the reconstruction points, in steps.
    tables: of changes, one for each class of deviation.
    shift_tables: one table of shifts.
    survival: `[L]` int16, table of a parameter's survival, -1 for those that no
      tile prunes; empty if none does.
    survival_tables: of 0 and 1; None if no tile prunes.
  """

  group: np.ndarray
  mean: np.ndarray
  scale: np.ndarray
  level: np.ndarray
  base_step: float
  rounding: float
  shift: float
  tables: frequencies.FrequencyTables
  shift_tables: frequencies.FrequencyTables
  survival: np.ndarray
  survival_tables: frequencies.FrequencyTables | None = None

  @property
  def num_settings(self) -> int:
    """Number of step sizes; coarse to fine."""
    return NUM_STEPS

  @property
  def length(self) -> int:
    """L, parameters of a tile."""
    return len(self.mean)

  @property
  def prunes(self) -> bool:
    """Whether tiles may have patterns of their own."""
    return self.survival_tables is not None

  @property
  def num_symbols(self) -> int:
    """L', symbols of a tile: L, or 2 L if tiles prune."""
    return 2 * self.length if self.prunes else self.length

  def step(self, t: int) -> float:
    """The quantiser's step, in root mean squared error of the values."""
    return self.base_step * 2.0 ** (-t / STEPS_PER_OCTAVE)

  def trade_off(self, t: int) -> float:
    """lambda: mean squared error that a bit of a tile is worth."""
    return _LAMBDA * self.step(t) ** 2

  def codes(self, fast: np.ndarray, t: int) -> np.ndarray:
    """`[n, L]` changes in steps, float64, of `[n, L']` descriptions."""
    change = fast[:, : self.length].astype(np.float64) - self.mean
    return change / (self.scale.astype(np.float64) * self.step(t))

  def quantise(self, fast: np.ndarray, t: int) -> np.ndarray:
    """`[n, L']` descriptions to `[n, L']` symbols, by the dead zone."""
    quantizer = uniform.DeadZone(1.0, self.rounding, self.shift)
    symbols = uniform.quantize_dead_zone(quantizer, self.codes(fast, t))
    return self._with_survival(symbols, fast)

  def improve(
    self, codes: np.ndarray, symbols: np.ndarray, t: int
  ) -> np.ndarray:
    """Rounds codes where it costs least, error and bits together.

    Args:
      codes: `[n, L]` as of `codes`.
      symbols: `[n, L']` earlier symbols, whose shifts and survivors are kept.
      t: the setting.

    Returns:
      `[n, L']` symbols.
    """
    classes = self._classes(self._shifts(symbols, t), t)
    nearest = np.rint(np.clip(codes, -_LARGEST, _LARGEST)).astype(np.int64)
    toward = nearest - np.sign(nearest)
    best, lowest = nearest, np.full(codes.shape, np.inf)
    for candidate in (nearest, toward, np.zeros_like(nearest)):
      level = candidate + self.shift * np.sign(candidate)
      bits = frequencies.cost_bits(candidate, classes, self.tables)
      cost = np.square(codes - level) + _LAMBDA * bits
      best = np.where(cost < lowest, candidate, best)
      lowest = np.minimum(cost, lowest)
    return self._with_survival(best, symbols)

  def dequantise(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """`[n, L']` symbols to `[n, L']` descriptions."""
    changes = symbols[:, : self.length]
    steps = changes + self.shift * np.sign(changes)
    # Too large a product for float32 is only found in a hostile stream.
    with np.errstate(over="ignore"):
      values = (self.mean + self.scale * (self.step(t) * steps)).astype(
        np.float32
      )
    survives = symbols[:, self.length :].astype(np.float32)
    if not self.prunes:
      return values
    return np.concatenate([survives * values, survives], axis=1)

  def cost(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """Estimated bits of every tile, `[rows, columns]`."""
    flat = symbols.reshape(-1, symbols.shape[-1])
    parts = [self._cost(part, t) for part in self._parts(flat)]
    return np.concatenate(parts).reshape(symbols.shape[:-1])

  def write(self, coder: entropy.Encoder, symbols: np.ndarray, t: int) -> None:
    """Appends `[rows, columns, L']` symbols to a stream.

    Raises:
      UnsupportedSignalError: if there are more than a stream may hold.
    """
    if symbols.size > _MAX_SYMBOLS:
      raise errors.UnsupportedSignalError(
        f"The image takes {symbols.size} symbols, at most {_MAX_SYMBOLS} fit: "
        "cut it into several."
      )
    for part in self._parts(symbols.reshape(-1, symbols.shape[-1])):
      if self.prunes:
        self._write_survival(coder, part[:, self.length :])
      shifts = self._shifts(part, t)
      coder.encode(
        shifts.ravel(), np.zeros(shifts.size, np.int64), self.shift_tables
      )
      there = self._survives(part)
      classes = self._classes(shifts, t)
      coder.encode(part[:, : self.length][there], classes[there], self.tables)

  def read(
    self, coder: entropy.Decoder, grid: tuple[int, int], t: int
  ) -> np.ndarray:
    """Reads `[rows, columns, L']` symbols.

    Raises:
      CorruptBitstreamError: if no encoder can have written them.
    """
    shape = (*grid, self.num_symbols)
    if grid[0] * grid[1] * self.num_symbols > _MAX_SYMBOLS:
      raise errors.CorruptBitstreamError(
        f"the stream declares {grid[0]} x {grid[1]} tiles, more than any "
        f"encoder writes with {self.num_symbols} symbols each"
      )
    symbols = np.zeros((grid[0] * grid[1], self.num_symbols), np.int32)
    for part in self._parts(symbols):
      if self.prunes:
        part[:, self.length :] = self._read_survival(coder, len(part))
      count = len(part) * self._num_groups
      shifts = coder.decode(np.zeros(count, np.int64), self.shift_tables)
      if count and (shifts.min() < 0 or shifts.max() >= NUM_SHIFTS):
        raise errors.CorruptBitstreamError(
          "the stream moves a table too far: it is damaged"
        )
      there = self._survives(part)
      classes = self._classes(shifts.reshape(len(part), -1), t)
      part[:, : self.length][there] = coder.decode(classes[there], self.tables)
    return symbols.reshape(shape)

  def arrays(self) -> dict[str, np.ndarray]:
    """What the model file keeps; see `from_arrays`."""
    named = {
      "change/mean": self.mean,
      "change/scale": self.scale,
      "change/level": self.level,
      "quantiser": np.array(
        [self.base_step, self.rounding, self.shift], np.float64
      ),
    }
    named |= _table_arrays("tables", self.tables)
    named |= _table_arrays("shifts", self.shift_tables)
    if self.survival_tables is not None:
      named |= {"survival/class": self.survival}
      named |= _table_arrays("survival", self.survival_tables)
    return named

  @property
  def _num_groups(self) -> int:
    return int(self.group[-1]) + 1

  def _parts(self, symbols: np.ndarray) -> Iterator[np.ndarray]:
    """The tiles that are coded together, views of `[n, L']`."""
    at_once = max(1, _PART_SYMBOLS // self.num_symbols)
    for first in range(0, len(symbols), at_once):
      yield symbols[first : first + at_once]

  def _with_survival(
    self, changes: np.ndarray, description: np.ndarray
  ) -> np.ndarray:
    """`[n, L']` symbols of `[n, L]` changes and the survivors of another."""
    clipped = np.clip(changes, -_LARGEST, _LARGEST).astype(np.int64)
    if not self.prunes:
      return clipped
    survives = description[:, self.length :] != 0
    return np.concatenate([clipped * survives, survives], axis=1)

  def _survives(self, symbols: np.ndarray) -> np.ndarray:
    """`[n, L]` bool, which changes are coded."""
    if not self.prunes:
      return np.ones(symbols.shape, bool)
    return symbols[:, self.length :] != 0

  def _classes(self, shifts: np.ndarray, t: int) -> np.ndarray:
    """`[n, L]` tables under `[n, groups]` shifts."""
    moves = _SHIFT_LEVELS * (shifts.astype(np.int64) - NUM_SHIFTS // 2)
    return self._class_of(self.level + t + moves[:, self.group])

  @staticmethod
  def _class_of(level: np.ndarray) -> np.ndarray:
    width = STEPS_PER_OCTAVE // _CLASSES_PER_OCTAVE
    first = _FIRST_OCTAVE * _CLASSES_PER_OCTAVE
    return np.clip(level // width - first, 0, NUM_CLASSES - 1)

  def _shifts(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """`[n, groups]` the cheapest shifts."""
    return np.argmin(self._shift_costs(symbols, t), axis=0)

  def _shift_costs(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """`[NUM_SHIFTS, n, groups]` bits, those of the shift included."""
    changes = symbols[:, : self.length].astype(np.int64)
    there = self._survives(symbols)
    starts = np.flatnonzero(np.diff(self.group, prepend=-1))
    own = frequencies.cost_bits(
      np.arange(NUM_SHIFTS), np.zeros(NUM_SHIFTS, int), self.shift_tables
    )
    costs = []
    for shift in range(NUM_SHIFTS):
      move = _SHIFT_LEVELS * (shift - NUM_SHIFTS // 2)
      # `level` as int64: it is stored in fewer bits.
      classes = self._class_of(self.level.astype(np.int64) + t + move)
      bits = frequencies.cost_bits(changes, classes[None], self.tables)
      sums = np.add.reduceat(np.where(there, bits, 0.0), starts, axis=1)
      costs.append(sums + own[shift])
    return np.stack(costs)

  def _cost(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """`[n]` estimated bits."""
    bits = self._shift_costs(symbols, t).min(axis=0).sum(axis=1)
    if self.survival_tables is None:
      return bits
    survives = symbols[:, self.length :].astype(np.int64)
    own = np.any(survives == 0, axis=1)
    pays = self.survival >= 0
    each = frequencies.cost_bits(
      survives[:, pays], self.survival[pays][None], self.survival_tables
    )
    return bits + 1 + own * each.sum(axis=1)

  def _write_survival(
    self, coder: entropy.Encoder, survives: np.ndarray
  ) -> None:
    assert self.survival_tables is not None
    pays = self.survival >= 0
    own = np.any(survives == 0, axis=1)
    coder.encode_uniform_bits(own.astype(np.int64), 1)
    index = np.broadcast_to(self.survival[pays], (own.sum(), pays.sum()))
    coder.encode(
      survives[own][:, pays].ravel().astype(np.int64),
      index.ravel().astype(np.int64),
      self.survival_tables,
    )

  def _read_survival(self, coder: entropy.Decoder, count: int) -> np.ndarray:
    """`[n, L]` zeros and ones."""
    assert self.survival_tables is not None
    pays = self.survival >= 0
    own = np.flatnonzero(coder.decode_uniform_bits(count, 1))
    index = np.broadcast_to(self.survival[pays], (len(own), pays.sum()))
    bits = coder.decode(index.ravel().astype(np.int64), self.survival_tables)
    if bits.size and (bits.min() < 0 or bits.max() > 1):
      raise errors.CorruptBitstreamError(
        "a parameter neither survives nor does not: the stream is damaged"
      )
    survives = np.ones((count, self.length), np.int32)
    survives[np.ix_(own, np.flatnonzero(pays))] = bits.reshape(index.shape)
    if len(own) and survives[own].all(axis=1).any():
      raise errors.CorruptBitstreamError(
        "a tile's own pattern is the model's: the stream is damaged"
      )
    return survives


def from_arrays(
  arrays: Mapping[str, np.ndarray], group: np.ndarray
) -> SparseCoder:
  """The coder that `SparseCoder.arrays` described.

  Args:
    arrays: those of the model file.
    group: `[L]` as the network knows it.

  Raises:
    KeyError, CodecError: if something is missing or unusable.
  """
  base_step, rounding, shift = arrays["quantiser"].tolist()
  prunes = "survival/class" in arrays
  return SparseCoder(
    group,
    arrays["change/mean"],
    arrays["change/scale"],
    arrays["change/level"],
    base_step,
    rounding,
    shift,
    _tables("tables", arrays),
    _tables("shifts", arrays),
    arrays["survival/class"] if prunes else np.zeros(0, np.int16),
    _tables("survival", arrays) if prunes else None,
  )


def _table_arrays(
  prefix: str, tables: frequencies.FrequencyTables
) -> dict[str, np.ndarray]:
  return {
    f"{prefix}/freq": tables.freq,
    f"{prefix}/layout": np.array([tables.offset, tables.precision], np.int32),
  }


def _tables(
  prefix: str, arrays: Mapping[str, np.ndarray]
) -> frequencies.FrequencyTables:
  layout = arrays[f"{prefix}/layout"]
  try:
    return frequencies.FrequencyTables(
      arrays[f"{prefix}/freq"], int(layout[0]), int(layout[1])
    )
  except errors.CodecError as error:
    raise errors.CorruptBitstreamError(
      f"the model's tables {prefix} cannot be used: {error}"
    ) from error
