"""What a codec of weights learns from training images."""

from collections.abc import Sequence

import numpy as np

from inrjax.codec import (
  frequencies,
  signals,
  sparse_network,
  sparse_weights,
  tiling,
)
from inrjax.coords import patches
from inrjax.quantize import uniform

# Settings at which symbols are counted.
_SETTINGS = (32, 48, 64, 80, 96)
_ROUNDING = 0.4
# The step at setting 0, in root mean square deviations: nearly all is zero.
_BASE_STEP = 4.0
# What is known of a tensor counts for as many tiles as this.
_PRIOR_TILES = 8
# What the family of distributions counts for, in symbols.
_PRIOR_SYMBOLS = 64
_NUM_PROBES = 4


def fit_coder(
  network: sparse_network.SparseNetwork,
  images: Sequence[np.ndarray],
  *,
  max_tiles: int,
  seed: int,
) -> sparse_weights.SparseCoder:
  """The coder of a network, from what it does to training images.

  Args:
    network: the trained network.
    images: `[H, W, C]` each.
    max_tiles: most tiles to fit; chosen at random if there are more.
    seed: of the choice, and of the metric's random vectors.

  Raises:
    ValueError: if there are no images.
    CodecError: if a fit diverges.
  """
  if not len(images) or max_tiles < 1:
    raise ValueError(
      f"The codec needs training images, got {len(images)} and "
      f"max_tiles={max_tiles}."
    )
  tiles = _tiles(network, images)
  if len(tiles) > max_tiles:
    chosen = np.random.default_rng(seed).permutation(len(tiles))[:max_tiles]
    tiles = tiles[np.sort(chosen)]
  fast = network.fit(tiles)
  length, group = network.num_stored, network.group
  changes = fast[:, :length].astype(np.float64)
  survives = np.ones(changes.shape)
  if fast.shape[1] > length:
    survives = fast[:, length:].astype(np.float64)
  squares = network.squared_jacobian(fast, num_probes=_NUM_PROBES, seed=seed)
  metric = _shrunk(squares * len(fast), np.full(length, len(fast)), group)
  # What hardly matters is not divided by zero.
  scale = 1 / np.sqrt(np.maximum(metric, 1e-8 * metric.max() + 1e-30))
  count = survives.sum(axis=0)
  mean = (changes * survives).sum(axis=0) / (count + _PRIOR_TILES)
  codes = (changes - mean) * survives / scale
  deviation = np.sqrt(_shrunk(np.square(codes).sum(axis=0), count, group))
  overall = np.sqrt(np.square(deviation).mean())
  base_step = _BASE_STEP * float(overall) or 1.0
  level = sparse_weights.STEPS_PER_OCTAVE * np.log2(
    np.maximum(deviation / base_step, 1e-30)
  )
  plain = sparse_weights.SparseCoder(
    group,
    mean.astype(np.float32),
    scale.astype(np.float32),
    np.rint(np.clip(level, -1000, 1000)).astype(np.int16),
    base_step,
    _ROUNDING,
    0.0,
    _prior_tables(),
    frequencies.from_counts(_shift_counts(np.zeros(0, int)), offset=1),
    *_survival(network, survives),
  )
  return _count(plain, fast)


def _tiles(
  network: sparse_network.SparseNetwork, images: Sequence[np.ndarray]
) -> np.ndarray:
  """All tiles of the images, `[n, P, P, C]` in [0, 1]."""
  found = []
  for image in images:
    unit, _ = signals.to_unit(np.asarray(image), network.spec.network.out_dim)
    tiling.tile_grid(unit.shape, network.spec.side)
    found.append(patches.to_patches(unit, network.spec.side))
  return np.concatenate(found)


def _shrunk(
  total: np.ndarray, count: np.ndarray, group: np.ndarray
) -> np.ndarray:
  """Means of sums over tiles, drawn towards those of their tensors.

  Args:
    total: `[L]` sums.
    count: `[L]` tiles that contributed.
    group: `[L]` tensor of each parameter.
  """
  everything = total.sum() / max(count.sum(), 1.0)
  sums, counts = np.bincount(group, total), np.bincount(group, count)
  tensors = (sums + everything) / (counts + 1)
  return (total + _PRIOR_TILES * tensors[group]) / (count + _PRIOR_TILES)


def _prior_tables() -> frequencies.FrequencyTables:
  """Laplace variables of each class of deviation."""
  octaves = np.arange(sparse_weights.NUM_CLASSES) / 4 - 6
  return frequencies.laplace_tables(
    2.0**octaves / np.sqrt(2),
    radius=sparse_weights.RADIUS,
    rounding=_ROUNDING,
  )


def _shift_counts(shifts: np.ndarray) -> np.ndarray:
  """`[1, NUM_SHIFTS + 2]` counts; a spare column at each end."""
  number = sparse_weights.NUM_SHIFTS
  counts = np.zeros((1, number + 2), np.int64)
  # Small moves are likelier before anything is known.
  distance = np.abs(np.arange(number) - number // 2)
  counts[0, 1:-1] = 64 >> np.minimum(distance, 6)
  counts[0, 1:-1] += 16 * np.bincount(shifts, minlength=number)
  return counts


def _survival(
  network: sparse_network.SparseNetwork, survives: np.ndarray
) -> tuple[np.ndarray, frequencies.FrequencyTables | None]:
  """Contexts of survival, and how often each survives."""
  if not network.spec.num_kept:
    return np.zeros(0, np.int16), None
  group, size = network.group, np.abs(network.start)
  index = np.full(len(group), -1, np.int16)
  ranks = sparse_weights.NUM_RANKS
  for number in range(group[-1] + 1):
    chosen = np.flatnonzero((group == number) & network.may_prune)
    order = np.argsort(np.argsort(size[chosen], kind="stable"), kind="stable")
    rank = order * ranks // max(1, len(chosen))
    index[chosen] = number * ranks + rank
  counts = np.zeros(((group[-1] + 1) * ranks, 4), np.int64)
  pays = index >= 0
  alive = survives[:, pays].sum(axis=0).astype(np.int64)
  np.add.at(counts[:, 1], index[pays], 2 * (len(survives) - alive))
  np.add.at(counts[:, 2], index[pays], 2 * alive)
  counts[:, 1:3] += 1
  return index, frequencies.from_counts(counts, offset=1)


def _count(
  plain: sparse_weights.SparseCoder, fast: np.ndarray
) -> sparse_weights.SparseCoder:
  """The coder with tables and reconstruction points as in training."""
  middle = _SETTINGS[len(_SETTINGS) // 2]
  codes = plain.codes(fast, middle)
  quantizer = uniform.fit_shift(
    uniform.DeadZone(1.0, plain.rounding, 0.0), codes.astype(np.float32)
  )
  radius, classes = sparse_weights.RADIUS, sparse_weights.NUM_CLASSES
  found = np.zeros((classes, 2 * radius + 1), np.int64)
  moved = []
  for t in _SETTINGS:
    symbols = plain.quantise(fast, t)
    shifts = plain._shifts(symbols, t)
    moved.append(shifts.ravel())
    there = plain._survives(symbols)
    columns = np.clip(symbols[:, : plain.length], -radius, radius) + radius
    np.add.at(found, (plain._classes(shifts, t)[there], columns[there]), 1)
  found += found[:, ::-1]
  weight = (1 << plain.tables.precision) // (2 * _PRIOR_SYMBOLS)
  counts = plain.tables.freq.astype(np.int64) + weight * found
  return plain._replace(
    shift=float(quantizer.shift),
    tables=frequencies.from_counts(counts, offset=radius),
    shift_tables=frequencies.from_counts(
      _shift_counts(np.concatenate(moved)), offset=1
    ),
  )
