"""The update of a model in a stream: quantised changes under the model prior.

  flags        1 byte: 1, a slab for each tensor; 2, a prior of its own
  [prior]      bin width, slab and spike weight, 3 float64
  [slabs]      one byte for each tensor: `spike_and_slab.scale_index`
  symbols      range coded: which parameters change (`latent_runs`), slab by
               slab, then by how many bins those that do

Coding zeros apart keeps both tables exact: of the paper's prior the outermost
bin holds a two-millionth, and of what is not zero a six-thousandth.

The number of symbols is that of the model's parameters, so that a stream has no
size to declare. Tensors come in the order of their sorted names.
"""

import struct
from typing import Any, NamedTuple

import jax
import numpy as np

from inrjax.codec import (
  bitio,
  entropy,
  errors,
  frequencies,
  latent_math,
  latent_runs,
  latent_tables,
)
from inrjax.quantize import spike_and_slab
from inrjax.types import PyTree

_HAS_SCALES = 1
_HAS_PRIOR = 2
_DEFAULT = spike_and_slab.SpikeAndSlab()


class ModelUpdate(NamedTuple):
  """A quantised change of the receiver's parameters.

  Attributes:
    prior: bins and prior.
    symbols: tree like the parameters of int32, in bins.
    scale_indices: tree of integers like it, which slab each tensor has; None
      for the prior's own everywhere.
  """

  prior: spike_and_slab.SpikeAndSlab
  symbols: PyTree
  scale_indices: PyTree | None = None


def quantize(
  prior: spike_and_slab.SpikeAndSlab,
  delta: PyTree,
  log_scales: PyTree | None = None,
) -> ModelUpdate:
  """Rounds an update for a file.

  Args:
    prior: bins and prior.
    delta: tree of updates.
    log_scales: tree of scalars like it, see `spike_and_slab`; None for the
      prior's own slab.

  Returns:
    The update, of the symbols that `spike_and_slab.quantize` gives.

  Raises:
    CodecError: if an update is not finite.
  """
  leaves, treedef = _flatten(delta)
  indices = np.full(len(leaves), spike_and_slab.OWN_SCALE)
  if log_scales is not None:
    steps = np.asarray(treedef.flatten_up_to(log_scales), np.float64)
    _check_finite(steps)
    steps = np.rint(steps * spike_and_slab.SCALES_PER_OCTAVE)
    indices = np.clip(indices + steps, 0, len(prior.slabs) - 1).astype(np.int64)
  symbols = []
  for leaf, bound in zip(leaves, prior.largest_symbols[indices], strict=True):
    leaf = np.asarray(leaf, np.float32)
    _check_finite(leaf)
    bins = np.rint(leaf / np.float32(prior.bin_width))
    symbols.append(np.clip(bins, -bound, bound).astype(np.int32))
  return ModelUpdate(
    prior,
    treedef.unflatten(symbols),
    None if log_scales is None else treedef.unflatten(indices.tolist()),
  )


def zero_update(
  params: PyTree, prior: spike_and_slab.SpikeAndSlab = _DEFAULT
) -> ModelUpdate:
  """The update of parameters that changes nothing."""
  zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.int32), params)
  return ModelUpdate(prior, zeros)


def apply(params: PyTree, update: ModelUpdate) -> PyTree:
  """The receiver's parameters, the same bits wherever they are computed.

  Args:
    params: the global model's, float32.
    update: a tree like it.

  Returns:
    `params + t symbols`, rounded once to float32; where a symbol is zero, the
    global model's parameter itself.
  """

  def add(leaf: Any, symbols: np.ndarray) -> np.ndarray:
    change = symbols.astype(np.float64) * update.prior.bin_width
    with np.errstate(over="ignore"):  # The codec refuses what is not finite.
      moved = (np.asarray(leaf).astype(np.float64) + change).astype(np.float32)
    return np.where(symbols == 0, leaf, moved)

  return jax.tree.map(add, params, update.symbols)


def encode(update: ModelUpdate) -> bytes:
  """The bytes of an update.

  Raises:
    CodecError: if a symbol is beyond its slab's bins.
  """
  leaves, treedef = _flatten(update.symbols)
  symbols = _flat(leaves)
  scales = _scale_indices(update, treedef)
  table_index, largest = _table_index(update.prior, leaves, scales)
  if np.any(np.abs(symbols) > largest):
    raise errors.CodecError(
      "a symbol of the update is beyond its slab's bins: quantise it with the "
      "prior that it is coded with"
    )
  flags = _HAS_SCALES * (update.scale_indices is not None)
  flags |= _HAS_PRIOR * (update.prior != _DEFAULT)
  head = bytes([flags])
  if flags & _HAS_PRIOR:
    head += _pack_prior(update.prior)
  if flags & _HAS_SCALES:
    head += bytes(scales.tolist())
  changes = symbols != 0
  tables = _tables(update.prior, np.unique(scales))
  encoder = entropy.Encoder()
  for table, cap in enumerate(tables.caps):
    runs = latent_runs.to_runs(changes[table_index == table], cap)
    encoder.encode(runs, np.full(len(runs), table), tables.runs)
  encoder.encode(symbols[changes], table_index[changes], tables.values)
  return head + encoder.finish()


def decode(data: bytes, params: PyTree) -> ModelUpdate:
  """Reads an update.

  Args:
    data: the bytes.
    params: tree of arrays, or of their shapes, of the global model.

  Returns:
    The update, whose symbols are a tree like the parameters.

  Raises:
    CorruptBitstreamError: if no encoder can have written the bytes for such
      parameters.
  """
  leaves, treedef = _flatten(params)
  reader = bitio.Reader(data)
  flags = reader.byte("the flags of the model update")
  if flags & ~(_HAS_SCALES | _HAS_PRIOR):
    raise errors.CorruptBitstreamError(
      f"the model update has the flags {flags:#x}, which this version does not "
      "know: it is damaged, or a newer program is needed"
    )
  prior = _DEFAULT
  if flags & _HAS_PRIOR:
    prior = _unpack_prior(reader.take(_PRIOR.size, "the prior of the update"))
    if prior == _DEFAULT:
      raise errors.CorruptBitstreamError(
        "the model update spells out the prior that it leaves out elsewhere: "
        "it is damaged"
      )
  scales = np.full(len(leaves), spike_and_slab.OWN_SCALE)
  if flags & _HAS_SCALES:
    stored = reader.take(len(leaves), "the slabs of the model update")
    scales = np.frombuffer(stored, np.uint8).astype(np.int64)
    if scales.size and scales.max() >= len(prior.slabs):
      raise errors.CorruptBitstreamError(
        f"the model update names the slab {scales.max()} of "
        f"{len(prior.slabs)}: it is damaged"
      )
  coded = reader.take(reader.remaining, "the model update")
  symbols = _decode_symbols(coded, prior, leaves, scales)
  stops = np.cumsum([int(np.prod(leaf.shape)) for leaf in leaves])
  parts = np.split(symbols, stops[:-1]) if leaves else []
  tree = treedef.unflatten(
    [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
  )
  indices = None
  if flags & _HAS_SCALES:
    indices = treedef.unflatten(scales.tolist())
  return ModelUpdate(prior, tree, indices)


def cost(update: ModelUpdate) -> PyTree:
  """Bits of every tensor under the prior: an estimate, headers left out.

  Returns:
    A tree of floats like the symbols.
  """
  leaves, treedef = _flatten(update.symbols)
  scales = _scale_indices(update, treedef)
  totals = []
  for leaf, scale in zip(leaves, scales, strict=True):
    largest = int(update.prior.largest_symbols[scale])
    mass = _bin_masses(update.prior, update.prior.slabs[scale], largest)
    mass = np.maximum(mass, _SMALLEST_MASS)
    bits = np.log2(mass[0] + 2.0 * mass[1:].sum()) - np.log2(mass)
    totals.append(float(bits[np.abs(leaf)].sum()))
  return treedef.unflatten(totals)


class _Tables(NamedTuple):
  """Of the slabs in use: runs without a change, and changes."""

  runs: frequencies.FrequencyTables
  caps: list[int]
  values: frequencies.FrequencyTables


_PRIOR = struct.Struct(">3d")
# A slab far narrower than a bin leaves nothing to the bins beside it.
_SMALLEST_MASS = 2.0**-60


def _check_finite(values: np.ndarray) -> None:
  if not np.isfinite(values).all():
    raise errors.CodecError(
      "the update of the model is not finite: adaptation diverged"
    )


def _flatten(tree: PyTree) -> tuple[list[Any], Any]:
  """Leaves in the order of their sorted names, and how to put them back."""
  return jax.tree.flatten(tree)


def _pack_prior(prior: spike_and_slab.SpikeAndSlab) -> bytes:
  return _PRIOR.pack(prior.bin_width, prior.slab, prior.spike_weight)


def _unpack_prior(data: bytes) -> spike_and_slab.SpikeAndSlab:
  try:
    return spike_and_slab.SpikeAndSlab(*_PRIOR.unpack(data))
  except (OverflowError, ValueError) as error:
    raise errors.CorruptBitstreamError(
      f"the prior of the model update cannot be used ({error}): it is damaged"
    ) from error


def _flat(leaves: list[np.ndarray]) -> np.ndarray:
  """All symbols, one tensor after the other."""
  parts = [np.asarray(leaf, np.int32).ravel() for leaf in leaves]
  return np.concatenate(parts) if parts else np.zeros(0, np.int32)


def _scale_indices(update: ModelUpdate, treedef: Any) -> np.ndarray:
  if update.scale_indices is None:
    return np.full(treedef.num_leaves, spike_and_slab.OWN_SCALE)
  return np.asarray(treedef.flatten_up_to(update.scale_indices), np.int64)


def _table_index(
  prior: spike_and_slab.SpikeAndSlab, leaves: list[Any], scales: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Of every symbol its table, and the largest value it can have."""
  sizes = [int(np.prod(leaf.shape)) for leaf in leaves]
  tables = np.searchsorted(np.unique(scales), scales)
  return (
    np.repeat(tables, sizes).astype(np.int32),
    np.repeat(prior.largest_symbols[scales], sizes),
  )


def _tables(prior: spike_and_slab.SpikeAndSlab, used: np.ndarray) -> _Tables:
  """The tables of slabs: the discrete prior, eq. 5, split at zero."""
  largest = int(prior.largest_symbols[used].max(initial=1))
  changes = []
  # A column to spare at each end, for escapes that no stream has.
  values = np.zeros((max(len(used), 1), 2 * largest + 3))
  for row, index in enumerate(used):
    k = int(prior.largest_symbols[index])
    mass = _bin_masses(prior, prior.slabs[index], k)
    # From the smallest, one after the other: `sum` has an order of its own.
    beyond = max(2.0 * float(np.cumsum(mass[:0:-1])[-1]), _SMALLEST_MASS)
    changes.append(beyond / (float(mass[0]) + beyond))
    centre = largest + 1
    values[row, centre + 1 : centre + 1 + k] = mass[1:] / beyond
    values[row, centre - k : centre] = mass[:0:-1] / beyond
  return _Tables(
    latent_runs.run_tables(changes),
    [latent_runs.run_cap(change) for change in changes],
    latent_tables.from_masses(values, offset=largest + 1, precision=22),
  )


def _bin_masses(
  prior: spike_and_slab.SpikeAndSlab, slab: float, largest: int
) -> np.ndarray:
  """`[K + 1]` masses of the bins 0 to K, times 1 + alpha."""
  edges = (np.arange(largest + 1) + 0.5) * prior.bin_width
  total = np.zeros(largest + 1)
  spike = prior.bin_width / 6
  for weight, deviation in ((1.0, slab), (prior.spike_weight, spike)):
    tail = latent_math.normal_tail(edges / deviation)
    mass = np.append(1.0 - 2.0 * tail[:1], tail[:-1] - tail[1:])
    total = total + weight * mass
  return total


def _decode_symbols(
  data: bytes,
  prior: spike_and_slab.SpikeAndSlab,
  leaves: list[Any],
  scales: np.ndarray,
) -> np.ndarray:
  table_index, largest = _table_index(prior, leaves, scales)
  tables = _tables(prior, np.unique(scales))
  decoder = entropy.Decoder(data)
  changed = np.zeros(table_index.size, bool)
  for table, cap in enumerate(tables.caps):
    chosen = table_index == table
    changed[chosen] = latent_runs.decode_runs(
      decoder, int(np.count_nonzero(chosen)), table, tables.runs, cap
    )
  symbols = np.zeros(table_index.size, np.int32)
  symbols[changed] = decoder.decode(table_index[changed], tables.values)
  decoder.finish()
  if np.any(np.abs(symbols.astype(np.int64)) > largest) or np.any(
    symbols[changed] == 0
  ):
    raise errors.CorruptBitstreamError(
      "the model update changes a parameter by nothing, or by more than its "
      "slab has bins for: it is damaged"
    )
  return symbols
