"""From the fast parameters of blocks to symbols and back, block by block.

Codes of `transform` are quantised with one step size, which the setting
chooses. The table of a symbol depends on its dimension and the setting alone:
each has the one of a family of Laplace and logistic tables that cost the
training signals least. Beyond the papers, which count frequencies at one number
of bits.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import entropy, errors, frequencies, transform
from inrjax.quantize import uniform

NUM_SETTINGS = 48
SETTINGS_PER_OCTAVE = 4
ROUNDING = 0.4
# The coarsest step, in deviations of the code with most energy.
_COARSEST = 2.0
_RADIUS = 255
# Scales of the tables, in steps.
_SCALES = 2.0 ** (np.arange(-6, 18) / 2)
_PRECISION = 20
# At most so many blocks choose tables.
_MAX_BLOCKS = 384


class GridCoder(NamedTuple):
  """Transform, dead zone and static tables. `t` is the setting.

  Attributes:
    transform: to codes in the reconstruction's metric.
    classes: `[S, L']` uint8, the table of each dimension at each setting.
    tables: the family.
    base_step: step at t = 0; at t it is `base_step 2^(-t / 4)`.
    rounding: offset of the dead-zone quantiser.
    shift: of the reconstruction points, in steps.
  """

  transform: transform.Transform
  classes: np.ndarray
  tables: frequencies.FrequencyTables
  base_step: float
  rounding: float
  shift: float

  @property
  def num_settings(self) -> int:
    """S; coarse to fine."""
    return len(self.classes)

  @property
  def num_codes(self) -> int:
    """L', symbols of a block."""
    return len(self.transform.deviation)

  def quantise(self, fast: np.ndarray, t: int) -> np.ndarray:
    """`[n, L]` fast parameters to `[n, L']` symbols."""
    codes = transform.analyse(self.transform, fast)
    quantiser = self._quantiser(t)
    return uniform.quantize_dead_zone(quantiser, codes).astype(np.int64)

  def dequantise(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """`[n, L']` symbols to `[n, L]` fast parameters."""
    codes = uniform.dequantize_dead_zone(self._quantiser(t), symbols)
    return transform.synthesise(self.transform, codes).astype(np.float32)

  def cost(self, symbols: np.ndarray, t: int) -> np.ndarray:
    """Estimated bits of every block, `[n]`."""
    index = self.classes[t].astype(np.int64)
    return frequencies.cost_bits(symbols, index, self.tables).sum(axis=-1)

  def write(self, coder: entropy.Encoder, symbols: np.ndarray, t: int) -> None:
    """Appends `[n, L']` symbols to a stream, dimension by dimension."""
    for column, table in zip(symbols.T, self.classes[t], strict=True):
      coder.encode(column, np.full(len(column), int(table)), self.tables)

  def read(self, coder: entropy.Decoder, num: int, t: int) -> np.ndarray:
    """Reads `[num, L']` symbols."""
    symbols = np.empty((num, self.num_codes), np.int32)
    for place, table in enumerate(self.classes[t]):
      index = np.full(num, int(table))
      symbols[:, place] = coder.decode(index, self.tables)
    return symbols

  def arrays(self) -> dict[str, np.ndarray]:
    """What the model file keeps; see `from_arrays`."""
    named = {f"transform/{k}": v for k, v in self.transform._asdict().items()}
    layout = [self.tables.offset, self.tables.precision]
    return named | {
      "classes": self.classes,
      "tables/freq": self.tables.freq,
      "tables/layout": np.array(layout, np.int32),
      "quantiser": np.array(
        [self.base_step, self.rounding, self.shift], np.float64
      ),
    }

  def _quantiser(self, t: int) -> uniform.DeadZone:
    step = self.base_step * 2.0 ** (-t / SETTINGS_PER_OCTAVE)
    return uniform.DeadZone(np.float32(step), self.rounding, self.shift)


def fit(fast: np.ndarray, mapping: transform.Transform) -> GridCoder:
  """The coder of training signals.

  Args:
    fast: `[n, L]` their fast parameters.
    mapping: the transform fitted to them.

  Returns:
    The coder.
  """
  coder = GridCoder(
    mapping,
    np.zeros((NUM_SETTINGS, len(mapping.deviation)), np.uint8),
    _family(),
    _COARSEST * float(mapping.deviation.max()),
    ROUNDING,
    0.0,
  )
  codes = transform.analyse(mapping, fast)
  middle = coder._quantiser(NUM_SETTINGS // 2)
  coder = coder._replace(shift=uniform.fit_shift(middle, codes).shift)
  some = fast[:: -(-len(fast) // _MAX_BLOCKS)]
  every = np.arange(coder.tables.num_tables)
  classes = []
  for t in range(NUM_SETTINGS):
    symbols = coder.quantise(some, t)[..., np.newaxis]
    bits = frequencies.cost_bits(symbols, every, coder.tables).sum(axis=0)
    # What no training signal has shown may still come, now and then.
    rare = frequencies.cost_bits(np.ones_like(every), every, coder.tables)
    classes.append(np.argmin(bits + 0.5 * rare, axis=-1))
  return coder._replace(classes=np.array(classes, np.uint8))


def from_arrays(arrays: Mapping[str, np.ndarray], num_values: int) -> GridCoder:
  """The coder that `GridCoder.arrays` described.

  Args:
    arrays: of the model file.
    num_values: L, values stored per block.

  Raises:
    KeyError: if an array is missing.
    CorruptBitstreamError: if one is unusable; names it.
  """
  layout = arrays["tables/layout"]
  _check("tables/layout", layout, np.int32, (2,))
  tables = frequencies.FrequencyTables(
    arrays["tables/freq"], int(layout[0]), int(layout[1])
  )
  mapping = transform.Transform(
    *(arrays[f"transform/{name}"] for name in transform.Transform._fields)
  )
  num_codes = mapping.deviation.size
  shapes = ((num_values,), (num_codes, num_values), (num_values, num_codes))
  for array, name, shape in zip(
    mapping, transform.Transform._fields, (*shapes, (num_codes,)), strict=True
  ):
    _check(f"transform/{name}", array, np.float32, shape)
  classes = arrays["classes"]
  _check("classes", classes, np.uint8, (len(classes), num_codes))
  quantiser = arrays["quantiser"]
  _check("quantiser", quantiser, np.float64, (3,))
  base_step, rounding, shift = quantiser.tolist()
  if not (
    0 < base_step
    and 0 < rounding <= 0.5
    and -0.5 <= shift <= 0.5
    and 1 <= len(classes) <= 128
    and num_codes
    and classes.max() < tables.num_tables
  ):
    raise errors.CorruptBitstreamError(
      f"step {base_step}, rounding {rounding}, shift {shift} and classes "
      f"{list(classes.shape)} are no quantiser's"
    )
  return GridCoder(mapping, classes, tables, base_step, rounding, shift)


def _family() -> frequencies.FrequencyTables:
  """Laplace tables, then logistic ones, by rising scale."""
  parts = [
    make(_SCALES, radius=_RADIUS, rounding=ROUNDING, precision=_PRECISION)
    for make in (frequencies.laplace_tables, frequencies.logistic_tables)
  ]
  freq = np.concatenate([part.freq for part in parts])
  return frequencies.FrequencyTables(freq, _RADIUS, _PRECISION)


def _check(
  name: str, array: np.ndarray, dtype: Any, shape: tuple[int, ...]
) -> None:
  if array.dtype != dtype or array.shape != shape:
    raise errors.CorruptBitstreamError(
      f"array {name} of the model is {array.dtype} {list(array.shape)}, not "
      f"{np.dtype(dtype)} {list(shape)}"
    )
  if array.dtype.kind == "f" and not np.isfinite(array).all():
    raise errors.CorruptBitstreamError(f"array {name} is not finite")
