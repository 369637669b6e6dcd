"""Which frequency table codes which symbol, from what is already decoded.

The symbols of an image form planes: plane k holds code k of every tile. They
are coded in groups of planes, and within a group in four passes over the tiles
(rows and columns even/even, odd/odd, even/odd, odd/even), so that everything a
pass is conditioned on has been decoded before it:

  * codes of the same tile in earlier groups;
  * codes of the neighbouring tiles in earlier groups, all eight of them;
  * the same code in the neighbours that earlier passes have coded.

From these the scale of a symbol is predicted, as a linear function of log
magnitudes, and for smooth planes also its mean. All of it is integer
arithmetic: weights and features are integers, and the matrix products, done in
float64, are exact because every partial sum stays far below 2^53. Encoder and
decoder therefore agree on every machine.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from inrjax.codec import entropy, frequencies

# Fixed-point scale of the weights and of the magnitudes.
WEIGHT_BITS = 10
MAGNITUDE_BITS = 4
# Scale classes per factor of two, and their number.
CLASSES_PER_OCTAVE = 4
NUM_CLASSES = 44
# The scale of class 0, in steps.
LOWEST_SCALE = 2.0**-4
# Magnitudes beyond this look alike.
MAX_MAGNITUDE = 255
# Offsets (row, column) of the passes over a 2 x 2 block of tiles.
PASSES = ((0, 0), (1, 1), (0, 1), (1, 0))
# The neighbours, in three directions of two, two and four tiles.
DIRECTIONS = (
  ((0, -1), (0, 1)),
  ((-1, 0), (1, 0)),
  ((-1, -1), (-1, 1), (1, -1), (1, 1)),
)
NUM_DIRECTIONS = len(DIRECTIONS)
# Directions that earlier passes of the same group have coded, by pass.
_KNOWN = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]], bool)

_LOG_MAGNITUDE = np.rint(
  np.log2(1 + np.arange(MAX_MAGNITUDE + 1)) * 2**MAGNITUDE_BITS
).astype(np.float64)


class ContextModel(NamedTuple):
  """The conditional distribution of the symbols.

  Attributes:
    group_ends: `[g]` first plane after each group, increasing, the last L'.
    bias: `[4, L']` int32, log2 scale by pass, in units of
      2^-(WEIGHT_BITS + MAGNITUDE_BITS) octaves.
    step_slope: `[L']` int32, change of the bias with the step index.
    own: `[L', L']` int16 weights of the tile's own earlier codes.
    neighbours: `[3, L', L']` int16 weights of the neighbours' earlier codes,
      by direction.
    same: `[4, 3, L']` int16 weights of the same code in the neighbours that
      are known in a pass.
    mean: `[4, 3, L']` int16 weights of their signed values in the prediction.
    tables: one frequency table per scale class.
  """

  group_ends: np.ndarray
  bias: np.ndarray
  step_slope: np.ndarray
  own: np.ndarray
  neighbours: np.ndarray
  same: np.ndarray
  mean: np.ndarray
  tables: frequencies.FrequencyTables


class Features(NamedTuple):
  """What the scale and the mean of one pass of one group depend on.

  Attributes:
    own: `[n, start]` log magnitudes of the tile's earlier codes.
    neighbours: `[3, n, start]` mean log magnitudes around, by direction.
    same: `[3, n, width]` the same for the group's own codes; 0 if unknown.
    signed: `[3, n, width]` mean signed values of those, times four.
  """

  own: np.ndarray
  neighbours: np.ndarray
  same: np.ndarray
  signed: np.ndarray


class _Pass(NamedTuple):
  """One bulk call of the coder."""

  number: int
  start: int
  stop: int
  rows: slice
  columns: slice


def group_ends(num_planes: int) -> np.ndarray:
  """Groups that grow with the plane: 1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 16, ..."""
  ends: list[int] = []
  size = 1
  while not ends or ends[-1] < num_planes:
    for _ in range(4 if size == 1 else 2):
      last = ends[-1] if ends else 0
      if last < num_planes:
        ends.append(min(last + size, num_planes))
    size = min(2 * size, 16)
  return np.array(ends, np.int32)


def known_directions() -> np.ndarray:
  """`[4, 3]` bool: directions that a pass knows within its own group."""
  return _KNOWN


def log_magnitude(symbols: np.ndarray) -> np.ndarray:
  """Integer log2(1 + |q|) in units of 2^-MAGNITUDE_BITS, as exact float64."""
  return _LOG_MAGNITUDE[np.minimum(np.abs(symbols), MAX_MAGNITUDE)]


def passes(ends: np.ndarray, grid: tuple[int, int]) -> Iterator[_Pass]:
  """The bulk calls in coding order, for a grid of tiles."""
  start = 0
  for stop in ends.tolist():
    for number, (row, column) in enumerate(PASSES):
      if row < grid[0] and column < grid[1]:
        yield _Pass(
          number, start, stop, slice(row, None, 2), slice(column, None, 2)
        )
    start = stop


def features(padded: np.ndarray, call: _Pass) -> Features:
  """Features of one pass from the symbols known before it.

  Args:
    padded: `[rows + 2, columns + 2, L']` symbols with a border of zeros; what
      a pass may not know is not read.
    call: the pass.
  """

  def shifted(offset: tuple[int, int], planes: slice) -> np.ndarray:
    rows = slice(1 + offset[0], padded.shape[0] - 1 + offset[0])
    columns = slice(1 + offset[1], padded.shape[1] - 1 + offset[1])
    view = padded[rows, columns][call.rows, call.columns, planes]
    return view.reshape(view.shape[0] * view.shape[1], view.shape[2])

  earlier = slice(0, call.start)
  group = slice(call.start, call.stop)
  own = log_magnitude(shifted((0, 0), earlier))
  unknown = np.zeros((len(own), call.stop - call.start))
  around, same, signed = [], [], []
  for direction, offsets in enumerate(DIRECTIONS):
    # Sums over two or four tiles, brought to four times the mean.
    share = 4 // len(offsets)
    around.append(
      share * sum(log_magnitude(shifted(o, earlier)) for o in offsets)
    )
    if _KNOWN[call.number, direction]:
      known = [shifted(o, group) for o in offsets]
      same.append(share * sum(log_magnitude(q) for q in known))
      signed.append(share * sum(q.astype(np.float64) for q in known))
    else:
      same.append(unknown)
      signed.append(unknown)
  return Features(own, np.stack(around), np.stack(same), np.stack(signed))


def predict(
  model: ContextModel, inputs: Features, call: _Pass, step_index: int
) -> tuple[np.ndarray, np.ndarray]:
  """Scale class and predicted symbol, by exact integer arithmetic.

  Returns:
    `[n, width]` int64 table indices and int64 means.
  """
  group = slice(call.start, call.stop)
  weights = lambda w: w.astype(np.float64)  # noqa: E731
  # Directions hold four times a mean, the tile itself one value.
  score = 4.0 * (inputs.own @ weights(model.own[group, : call.start]).T)
  for direction in range(NUM_DIRECTIONS):
    score = (
      score
      + inputs.neighbours[direction]
      @ weights(model.neighbours[direction, group, : call.start]).T
    )
    score = score + inputs.same[direction] * weights(
      model.same[call.number, direction, group]
    )
  bias = weights(model.bias[call.number, group]) + step_index * weights(
    model.step_slope[group]
  )
  score = score + 4.0 * bias
  # Octaves in fixed point, to classes, rounding down: exact integers still.
  unit = 2.0 ** (WEIGHT_BITS + MAGNITUDE_BITS + 2)
  classes = np.floor(score * CLASSES_PER_OCTAVE / unit)
  classes = np.clip(classes, 0, NUM_CLASSES - 1).astype(np.int64)
  mean = sum(
    inputs.signed[d] * weights(model.mean[call.number, d, group])
    for d in range(NUM_DIRECTIONS)
  )
  half = 2.0 ** (WEIGHT_BITS + 1)
  mean = np.sign(mean) * np.floor((np.abs(mean) + half) / (2 * half))
  return classes, mean.astype(np.int64)


def encode(
  coder: entropy.Encoder,
  model: ContextModel,
  symbols: np.ndarray,
  step_index: int,
) -> None:
  """Appends the symbols of an image.

  Args:
    coder: the stream.
    model: the context model.
    symbols: `[rows, columns, L']` integers.
    step_index: of the quantiser.
  """
  padded = np.pad(symbols, ((1, 1), (1, 1), (0, 0)))
  for call in passes(model.group_ends, symbols.shape[:2]):
    inputs = features(padded, call)
    classes, mean = predict(model, inputs, call, step_index)
    values = symbols[call.rows, call.columns, call.start : call.stop]
    values = values.reshape(classes.shape) - mean
    coder.encode(values.ravel(), classes.ravel(), model.tables)


def decode(
  coder: entropy.Decoder,
  model: ContextModel,
  grid: tuple[int, int],
  step_index: int,
) -> np.ndarray:
  """Reads the symbols of an image, the inverse of `encode`.

  Returns:
    `[rows, columns, L']` int32.
  """
  num_planes = int(model.group_ends[-1])
  padded = np.zeros((grid[0] + 2, grid[1] + 2, num_planes), np.int64)
  inner = padded[1:-1, 1:-1]
  for call in passes(model.group_ends, grid):
    classes, mean = predict(model, features(padded, call), call, step_index)
    values = coder.decode(classes.ravel(), model.tables).reshape(classes.shape)
    target = inner[call.rows, call.columns, call.start : call.stop]
    # A damaged stream can hold any escape; keep sums within int32.
    values = np.clip(values + mean, -(1 << 30), 1 << 30)
    target[...] = values.reshape(target.shape)
  return inner.astype(np.int32)


def contexts(
  model: ContextModel, symbols: np.ndarray, step_index: int
) -> tuple[np.ndarray, np.ndarray]:
  """Scale class and mean of every symbol, given all the others.

  For estimates and rate-distortion optimised rounding: `frequencies.cost_bits`
  of `symbols - mean` under the classes is the symbols' cost.

  Returns:
    `[rows, columns, L']` int64 classes and means.
  """
  padded = np.pad(symbols, ((1, 1), (1, 1), (0, 0)))
  classes = np.zeros(symbols.shape, np.int64)
  means = np.zeros(symbols.shape, np.int64)
  for call in passes(model.group_ends, symbols.shape[:2]):
    c, m = predict(model, features(padded, call), call, step_index)
    for target, values in ((classes, c), (means, m)):
      view = target[call.rows, call.columns, call.start : call.stop]
      view[...] = values.reshape(view.shape)
  return classes, means
