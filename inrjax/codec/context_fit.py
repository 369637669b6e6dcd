"""Fits the context model to the symbols of training images."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from inrjax.codec import context, frequencies
from inrjax.types import Array, PyTree

# Symbols beyond this are coded by escapes.
_RADIUS = 48
_OFFSET = float(-np.log2(context.LOWEST_SCALE))
_ONE = 2.0**context.WEIGHT_BITS


class CodedImage(NamedTuple):
  """Training symbols of one image at one step size.

  Attributes:
    symbols: `[rows, columns, L']` integers.
    step_index: of the quantiser.
  """

  symbols: np.ndarray
  step_index: int


class _Rows(NamedTuple):
  """Training tiles, one row each; magnitudes in octaves.

  Attributes:
    symbols: `[n, L']` float32.
    own: `[n, L']`, log2(1 + |q|).
    around: `[n, 3, L']` its mean over the neighbours, by direction.
    signed: `[n, 3, L']` mean of the neighbours.
    number: `[n]` the tile's pass.
    step_index: `[n]`.
  """

  symbols: np.ndarray
  own: np.ndarray
  around: np.ndarray
  signed: np.ndarray
  number: np.ndarray
  step_index: np.ndarray


def fit(
  images: Sequence[CodedImage],
  *,
  seed: int = 0,
  num_steps: int = 1500,
  batch_size: int = 512,
  learning_rate: float = 3e-3,
  weight_decay: float = 1e-3,
) -> context.ContextModel:
  """Maximum likelihood of the symbols under a Laplace distribution.

  The weights are fitted in floating point, rounded to integers, and the tables
  are then counted with those integers, so whatever shape the distribution has
  within a scale class is what is coded.

  Args:
    images: coded training images, best at several step sizes.
    seed: of the order of the batches.
    num_steps: Adam steps.
    batch_size: tiles per step.
    learning_rate: Adam's rate, with cosine decay.
    weight_decay: decoupled decay of the weights.

  Returns:
    The model.

  Raises:
    ValueError: without images.
  """
  if not images:
    raise ValueError("The context model needs at least one coded image.")
  num_planes = images[0].symbols.shape[-1]
  ends = context.group_ends(num_planes)
  starts = np.concatenate([[0], ends[:-1]])
  sizes = np.diff(np.concatenate([[0], ends]))
  plane_start = np.repeat(starts, sizes)
  mask = jnp.asarray(np.arange(num_planes)[None] < plane_start[:, None])
  rows = [_rows(image) for image in images]
  data = _Rows(*(np.concatenate(leaves) for leaves in zip(*rows, strict=True)))
  mean = _fit_mean(data, num_planes)
  residual = data.symbols - _rounded_mean(mean, data)

  mean_step = float(data.step_index.mean())
  scale = np.log2(np.abs(residual).mean(axis=0) + 0.02)
  params = {
    "bias": jnp.tile(jnp.asarray(scale + _OFFSET), (4, 1)),
    # A step twice as fine doubles the symbols.
    "slope": jnp.zeros(num_planes),
    "own": jnp.zeros((num_planes, num_planes)),
    "neighbours": jnp.zeros((3, num_planes, num_planes)),
    "same": jnp.zeros((4, 3, num_planes)),
  }
  known = jnp.asarray(context.known_directions(), jnp.float32)

  def nll(params: PyTree, batch: _Rows, residual: Array) -> Array:
    score = params["bias"][batch.number]
    score += jnp.outer((batch.step_index - mean_step) / 16, params["slope"])
    score += batch.own @ (params["own"] * mask).T
    score += jnp.einsum(
      "ndj,dkj->nk", batch.around, params["neighbours"] * mask[None]
    )
    same = params["same"] * known[:, :, None]
    score += jnp.sum(batch.around * same[batch.number], axis=1)
    return jnp.mean(_laplace_bits(residual, score - _OFFSET))

  schedule = optax.cosine_decay_schedule(learning_rate, num_steps)
  optimizer = optax.adamw(schedule, weight_decay=weight_decay)

  @jax.jit
  def step(params, state, batch, residual):  # type: ignore[no-untyped-def]
    grads = jax.grad(nll)(params, batch, residual)
    updates, state = optimizer.update(grads, state, params)
    return optax.apply_updates(params, updates), state

  state = optimizer.init(params)
  rng = np.random.default_rng(seed)
  for _ in range(num_steps):
    chosen = rng.integers(len(residual), size=batch_size)
    batch = _Rows(*(leaf[chosen] for leaf in data))
    params, state = step(params, state, batch, residual[chosen])
  fitted = jax.tree.map(np.asarray, params)
  model = _to_integers(fitted, np.asarray(mask), ends, mean, mean_step)
  return model._replace(tables=_count_tables(model, images))


def _laplace_bits(residual: Array, log_scale: Array) -> Array:
  """Bits of integers under a discretised Laplace of scale 2^log_scale."""
  scale = jnp.exp2(jnp.clip(log_scale, -4.0, 9.0))
  magnitude = jnp.abs(residual)
  zero = -jnp.log(-jnp.expm1(-0.5 / scale))
  other = (
    (magnitude - 0.5) / scale - jnp.log(-jnp.expm1(-1 / scale)) + jnp.log(2.0)
  )
  return jnp.where(magnitude == 0, zero, other) / jnp.log(2.0)


def _rows(image: CodedImage) -> _Rows:
  """The tiles of one image with their surroundings."""
  symbols = image.symbols
  rows, columns, num_planes = symbols.shape
  padded = np.pad(symbols, ((1, 1), (1, 1), (0, 0))).astype(np.float32)
  logs = np.log2(1 + np.minimum(np.abs(padded), context.MAX_MAGNITUDE)).astype(
    np.float32
  )

  def mean_of(values: np.ndarray) -> np.ndarray:
    return np.stack(
      [
        np.mean(
          [
            values[1 + y : 1 + y + rows, 1 + x : 1 + x + columns]
            for y, x in offsets
          ],
          axis=0,
        )
        for offsets in context.DIRECTIONS
      ],
      axis=2,
    ).reshape(-1, context.NUM_DIRECTIONS, num_planes)

  number = np.zeros((rows, columns), np.int32)
  for index, (y, x) in enumerate(context.PASSES):
    number[y::2, x::2] = index
  flat = (rows * columns, num_planes)
  return _Rows(
    symbols.reshape(flat).astype(np.float32),
    logs[1:-1, 1:-1].reshape(flat),
    mean_of(logs),
    mean_of(padded),
    number.ravel(),
    np.full(rows * columns, image.step_index, np.float32),
  )


def _fit_mean(data: _Rows, num_planes: int) -> np.ndarray:
  """Least-squares weights `[4, 3, L']` of the neighbours' signed values.

  Kept only where they take away a tenth of a plane's energy or more: elsewhere
  a rounded prediction costs more than it brings.
  """
  weights = np.zeros((4, 3, num_planes))
  for number, known in enumerate(context.known_directions()):
    chosen = data.number == number
    if not known.any() or not chosen.any():
      continue
    signed = data.signed[chosen][:, known].astype(np.float64)
    target = data.symbols[chosen].astype(np.float64)
    for plane in range(num_planes):
      x, y = signed[:, :, plane], target[:, plane]
      gram = x.T @ x + 1e-3 * len(y) * np.eye(x.shape[1])
      solution = np.linalg.solve(gram, x.T @ y)
      left = np.square(y - np.rint(x @ solution)).sum()
      if left < 0.9 * np.square(y).sum():
        weights[number, known, plane] = solution
  return weights


def _rounded_mean(weights: np.ndarray, data: _Rows) -> np.ndarray:
  predicted = np.einsum("ndk,ndk->nk", data.signed, weights[data.number])
  return np.rint(predicted).astype(np.float32)


def _to_integers(
  fitted: dict[str, np.ndarray],
  mask: np.ndarray,
  ends: np.ndarray,
  mean: np.ndarray,
  mean_step: float,
) -> context.ContextModel:
  """Rounds the weights; see `context.ContextModel` for their units."""
  small = lambda w: np.clip(np.rint(w * _ONE), -32767, 32767).astype(  # noqa: E731
    np.int16
  )
  unit = _ONE * 2**context.MAGNITUDE_BITS
  bias = fitted["bias"] - mean_step / 16 * fitted["slope"]
  # Half a class, since classes round down.
  bias = bias + 0.5 / context.CLASSES_PER_OCTAVE
  known = context.known_directions()[:, :, None]
  return context.ContextModel(
    group_ends=ends,
    bias=np.rint(bias * unit).astype(np.int32),
    step_slope=np.rint(fitted["slope"] / 16 * unit).astype(np.int32),
    own=small(fitted["own"] * mask),
    neighbours=small(fitted["neighbours"] * mask),
    same=small(fitted["same"] * known),
    mean=small(mean),
    tables=_prior_tables(np.zeros((context.NUM_CLASSES, 2 * _RADIUS + 1))),
  )


def _count_tables(
  model: context.ContextModel, images: Sequence[CodedImage]
) -> frequencies.FrequencyTables:
  """Tables of what was seen in each class, smoothed by a Laplace prior."""
  counts = np.zeros((context.NUM_CLASSES, 2 * _RADIUS + 1))
  for image in images:
    symbols = image.symbols.astype(np.int64)
    classes, means = context.contexts(model, symbols, image.step_index)
    values = np.clip(symbols - means, -_RADIUS, _RADIUS) + _RADIUS
    np.add.at(counts, (classes.ravel(), values.ravel()), 1.0)
  # Nothing prefers a sign.
  return _prior_tables((counts + counts[:, ::-1]) / 2)


def _prior_tables(counts: np.ndarray) -> frequencies.FrequencyTables:
  scales = context.LOWEST_SCALE * np.exp2(
    np.arange(context.NUM_CLASSES) / context.CLASSES_PER_OCTAVE
  )
  prior = frequencies.laplace_tables(scales, radius=_RADIUS)
  share = prior.freq / prior.freq.sum(axis=1, keepdims=True)
  strength = 200.0
  mixed = np.rint((counts + strength * share) * 2**16).astype(np.int64)
  return frequencies.from_counts(mixed, offset=_RADIUS)
