"""Frequency tables of the hyperprior's latents and hyper-latents.

Tables are computed where they are needed, on the encoder's machine and on the
decoder's, by `inrjax.codec.latent_math`, and so are equal: those of the
hyper-latents follow from parameters that a model update may change.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import errors, frequencies, latent_math
from inrjax.quantize import rate_models

# Scales below 1 have a column for each integer up to `NARROW_RADIUS`, the rest
# up to four of the largest scale; escapes beyond. Every column and every bit of
# precision costs something in each symbol, which counts where symbols cost
# little.
NARROW_RADIUS = 12
WIDE_RADIUS = 256
_NARROW_PRECISION = 22
_WIDE_PRECISION = 24
_COUNT_BITS = 36
# Hyper-latents have columns until less than this is left on either side, or
# for at most this many integers.
_TAIL = 2.0**-20
_SMALLEST_RADIUS = 8
_LARGEST_RADIUS = 1024


class GaussianTables(NamedTuple):
  """Tables of rounded zero-mean Gaussian variables by index of the scale.

  Attributes:
    split: scales of this index and more take `wide`, from its table 0.
    narrow: tables of the scales below 1.
    wide: tables of the scales from 1.
  """

  split: int
  narrow: frequencies.FrequencyTables
  wide: frequencies.FrequencyTables


@functools.lru_cache(maxsize=4)
def gaussian_tables(
  grid: rate_models.ScaleGrid = rate_models.DEFAULT_GRID,
) -> GaussianTables:
  """The tables of a grid of scales.

  Raises:
    CodecError: if not some of its scales are below 1 and others not.
  """
  exponents = grid.lowest + np.arange(grid.num_scales) / grid.per_octave
  split = int(np.count_nonzero(exponents < 0))
  if not 0 < split < grid.num_scales:
    raise errors.CodecError(
      f"a codec's grid has scales below and from 1, got 2^{grid.lowest:g} to "
      f"2^{grid.highest:g}"
    )
  return GaussianTables(
    split,
    _gaussian(exponents[:split], NARROW_RADIUS, _NARROW_PRECISION),
    _gaussian(exponents[split:], WIDE_RADIUS, _WIDE_PRECISION),
  )


def _gaussian(
  exponents: np.ndarray, radius: int, precision: int
) -> frequencies.FrequencyTables:
  whole = np.floor(exponents)
  # A power of two, and a number between 1 and 2.
  scales = np.ldexp(
    latent_math.exp((exponents - whole) * latent_math.LN2),
    whole.astype(np.int32),
  )
  edges = np.arange(1, radius + 1) - 0.5
  tail = latent_math.normal_tail(edges[None, :] / scales[:, None])
  zero = 1.0 - 2.0 * tail[:, :1]
  positive = np.append(tail[:, :-1] - tail[:, 1:], tail[:, -1:], axis=1)
  mass = np.concatenate([positive[:, ::-1], zero, positive], axis=1)
  return from_masses(mass, offset=radius, precision=precision)


def factorized_tables(params: Mapping[str, Any]) -> frequencies.FrequencyTables:
  """Tables of the learned densities of the hyper-latents, one per channel.

  Args:
    params: as `rate_models.init_factorized` makes them.

  Returns:
    C tables.

  Raises:
    CodecError: if parameters are missing, of another shape, or not finite.
  """
  layers = _checked_layers(params)
  radius = _SMALLEST_RADIUS
  while True:
    edges = np.arange(-radius, radius + 2) - 0.5
    logits = _logits(layers, edges)
    tails = latent_math.sigmoid(np.append(logits[:, 0], -logits[:, -1]))
    if radius == _LARGEST_RADIUS or tails.max() < _TAIL:
      break
    radius *= 2
  # Everything beyond the outermost edges belongs to the escapes.
  logits[:, 0], logits[:, -1] = -np.inf, np.inf
  low, high = logits[:, :-1], logits[:, 1:]
  # To the right of the median the mirror image: see rate_models.
  mirrored = low + high > 0
  low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
  mass = _distribution(high) - _distribution(low)
  return from_masses(mass, offset=radius, precision=_NARROW_PRECISION)


def from_masses(
  mass: np.ndarray, *, offset: int, precision: int
) -> frequencies.FrequencyTables:
  """Tables of probabilities that have been computed bit for bit.

  Args:
    mass: `[T, A]` of a sum of about 1; roundings below zero count as zero.
    offset: column of symbol 0.
    precision: bits of a row's sum.

  Returns:
    The tables.
  """
  counts = np.rint(np.maximum(mass, 0.0) * 2.0**_COUNT_BITS).astype(np.int64)
  return frequencies.from_counts(counts, offset=offset, precision=precision)


def _distribution(logits: np.ndarray) -> np.ndarray:
  values = latent_math.sigmoid(np.maximum(logits, -700.0))
  return np.where(np.isneginf(logits), 0.0, values)


def _checked_layers(
  params: Mapping[str, Any],
) -> list[dict[str, np.ndarray]]:
  """The layers in float64, with their softplus and tanh taken."""
  layers = []
  num_channels, inputs = None, 1
  for k in range(rate_models.NUM_LAYERS):
    layer = params.get(f"layer_{k}", {})
    last = k == rate_models.NUM_LAYERS - 1
    names = {"matrix", "bias"} if last else {"matrix", "bias", "factor"}
    if set(layer) != names:
      raise errors.CodecError(
        f"layer {k} of the prior of the hyper-latents holds {sorted(layer)}, "
        f"not {sorted(names)}: the model is of another version"
      )
    arrays = {n: np.asarray(a, np.float64) for n, a in layer.items()}
    matrix = arrays["matrix"]
    shape = matrix.shape
    if (
      matrix.ndim != 3
      or shape[0] != (num_channels or shape[0])
      or shape[2] != inputs
      or (last and shape[1] != 1)
      or any(arrays[n].shape != shape[:2] for n in names - {"matrix"})
    ):
      raise errors.CodecError(
        f"layer {k} of the prior of the hyper-latents has the shapes "
        f"{ {n: a.shape for n, a in arrays.items()} }, which do not fit "
        "together: the model is of another version"
      )
    if not all(np.isfinite(array).all() for array in arrays.values()):
      raise errors.CodecError(
        f"layer {k} of the prior of the hyper-latents is not finite: training "
        "diverged, or the stream is damaged"
      )
    num_channels, inputs = shape[0], shape[1]
    arrays["matrix"] = latent_math.softplus(matrix)
    if not last:
      arrays["factor"] = latent_math.tanh(arrays["factor"])
    layers.append(arrays)
  return layers


def _logits(
  layers: list[dict[str, np.ndarray]], values: np.ndarray
) -> np.ndarray:
  """Logits `[C, n]` of the distributions at values `[n]`, in a fixed order."""
  num_channels = len(layers[0]["matrix"])
  columns = [np.broadcast_to(values, (num_channels, values.size))]
  for layer in layers:
    outputs = []
    for o in range(layer["matrix"].shape[1]):
      total = np.broadcast_to(layer["bias"][:, o, None], columns[0].shape)
      for i, column in enumerate(columns):
        total = total + layer["matrix"][:, o, i, None] * column
      if "factor" in layer:
        bent = latent_math.tanh(total)
        total = total + layer["factor"][:, o, None] * bent
      outputs.append(total)
    columns = outputs
  return np.array(columns[0])
