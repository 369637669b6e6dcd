"""The hyper-synthesis in integers: the same means and scales on every machine.

A decoder must know the distribution of every latent exactly as the encoder
did, and a network evaluated in floating point gives another last bit with
another number of threads, compiler or device. Here the network is evaluated in
fixed point instead:

  weights      multiples of 2^-16
  activations  multiples of 2^-12, rounded (to even) after each layer
  biases       multiples of 2^-28 (2^-16 in the first layer, which reads
               integers)

All of them are integers held in float64, and activations are clipped where
products could add up to 2^53 or more. Below that float64 adds and multiplies
integers without any rounding, so that a matrix product has one result, in
whatever order, with or without fused operations, on any number of threads. It
runs in NumPy: no version of JAX and no compilation takes part.

Differs from the papers: Minnen et al. (2018) have leaky ReLUs in this network,
which could be evaluated likewise with a slope of a power of two; here they are
ReLUs, as in Ballé et al. (2018).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import errors
from inrjax.quantize import rate_models

WEIGHT_BITS = 16
ACTIVATION_BITS = 12
# Hyper-latents are clipped to this before they are coded.
MAX_HYPER_LATENT = (1 << 15) - 1
_EXACT = 2.0**53
# Activations as integers, hence means, fit into int32 and exactly into float64.
_MAX_ACTIVATION = 2.0**31 - 1
# A network in use has activations of some hundreds.
_LEAST_RANGE = 2.0 ** (ACTIVATION_BITS + 4)
_NUM_LAYERS = 3
# Positions that are computed at a time.
_STRIP_POSITIONS = 1 << 14


class Moments(NamedTuple):
  """What the decoder knows of the latents before it reads them.

  Attributes:
    means: `[H, W, M]` int32 multiples of 2^-12.
    scales: `[H, W, M]` uint8 indices into the grid of scales.
  """

  means: np.ndarray
  scales: np.ndarray


class _Layer(NamedTuple):
  """A convolution in integers; `limit` bounds what it can be given."""

  weights: np.ndarray
  bias: np.ndarray
  limit: float
  shift: int


class ExactHyperSynthesis:
  """Evaluates a hyper-synthesis network in integers.

  Attributes:
    hyper_channels: channels of the hyper-latents.
    latent_channels: channels of the latents, M.
  """

  def __init__(
    self,
    params: Mapping[str, Any],
    grid: rate_models.ScaleGrid = rate_models.DEFAULT_GRID,
  ) -> None:
    """Rounds the parameters.

    Args:
      params: of `inrjax.networks.hyperprior.Hyperprior.hyper_synthesis`.
      grid: the scales that a codec knows, at most 256.

    Raises:
      CodecError: if parameters are missing, of other shapes, not finite, or
        too large for the arithmetic to be exact.
    """
    if grid.num_scales > 256:
      raise errors.CodecError(
        f"an index of a scale takes a byte, the grid has {grid.num_scales}"
      )
    self._grid = grid
    self._layers = [_rounded_layer(params, i) for i in range(_NUM_LAYERS)]
    self.hyper_channels = self._layers[0].weights.shape[2]
    self.latent_channels = self._layers[-1].weights.shape[3] // 2
    channels = [layer.weights.shape[2:] for layer in self._layers]
    if (
      channels[0][1] != channels[1][0]
      or channels[1][1] != channels[2][0]
      or channels[2][1] % 2
    ):
      raise errors.CodecError(
        f"the layers of the hyper-synthesis have the channels {channels}, "
        "which do not fit together: the model is damaged"
      )

  def __call__(self, hyper_latents: np.ndarray) -> Moments:
    """Means and scales of the latents.

    Args:
      hyper_latents: `[h, w, K]` integers within `MAX_HYPER_LATENT`.

    Returns:
      Means and scales `[4 h, 4 w, M]`.

    Raises:
      CodecError: for another shape or other values.
    """
    hyper_latents = np.asarray(hyper_latents)
    if (
      hyper_latents.ndim != 3
      or hyper_latents.shape[2] != self.hyper_channels
      or not np.issubdtype(hyper_latents.dtype, np.integer)
    ):
      raise errors.CodecError(
        f"hyper-latents are integers [h, w, {self.hyper_channels}], got "
        f"{hyper_latents.dtype} {list(hyper_latents.shape)}"
      )
    if hyper_latents.size and np.abs(hyper_latents).max() > MAX_HYPER_LATENT:
      raise errors.CodecError(
        f"hyper-latents lie within {MAX_HYPER_LATENT}, got "
        f"{np.abs(hyper_latents).max()}"
      )
    x = hyper_latents.astype(np.float64)
    for layer in self._layers[:-1]:
      x = np.maximum(_upsample(x, layer), 0.0)
    x = _same(x, self._layers[-1])
    means, log_scales = np.split(x, 2, axis=-1)
    return Moments(means.astype(np.int32), self._scale_indices(log_scales))

  def _scale_indices(self, log_scales: np.ndarray) -> np.ndarray:
    """The nearest scale of the grid; powers of two keep this exact."""
    steps = log_scales * (self._grid.per_octave * 2.0**-ACTIVATION_BITS)
    index = np.rint(steps - self._grid.lowest * self._grid.per_octave)
    return np.clip(index, 0, self._grid.num_scales - 1).astype(np.uint8)


def to_float(means: np.ndarray) -> np.ndarray:
  """Means as float64, exactly."""
  return np.ldexp(means.astype(np.float64), -ACTIVATION_BITS)


def _rounded_layer(params: Mapping[str, Any], index: int) -> _Layer:
  name = f"conv_{index}"
  kernel = 3 if index == _NUM_LAYERS - 1 else 5
  layer = params.get(name, {})
  if set(layer) != {"w", "b"}:
    raise errors.CodecError(
      f"layer {name} of the hyper-synthesis holds {sorted(layer)}, not a "
      "weight and a bias: the model is of another version"
    )
  w, b = (np.asarray(layer[key], np.float64) for key in ("w", "b"))
  if w.ndim != 4 or w.shape[:2] != (kernel, kernel) or b.shape != w.shape[3:]:
    raise errors.CodecError(
      f"layer {name} of the hyper-synthesis has the shapes {w.shape} and "
      f"{b.shape}, not those of a {kernel} x {kernel} convolution"
    )
  if not (np.isfinite(w).all() and np.isfinite(b).all()):
    raise errors.CodecError(
      f"layer {name} of the hyper-synthesis is not finite: training diverged, "
      "or the stream is damaged"
    )
  input_bits = ACTIVATION_BITS if index else 0
  w = np.rint(np.ldexp(w, WEIGHT_BITS))
  b = np.rint(np.ldexp(b, WEIGHT_BITS + input_bits))
  largest_b = np.abs(b).max(initial=0)
  # A little less, because this sum itself may be rounded.
  room = 0.99 * (_EXACT - largest_b)
  limit = np.floor(room / max(np.abs(w).sum((0, 1, 2)).max(initial=0), 1.0))
  limit = min(float(limit), _MAX_ACTIVATION)
  needed = _LEAST_RANGE if index else float(MAX_HYPER_LATENT)
  if largest_b >= _EXACT / 2 or limit < needed:
    raise errors.CodecError(
      f"layer {name} of the hyper-synthesis has a weight of "
      f"{np.ldexp(np.abs(w).max(initial=0), -WEIGHT_BITS):g}, too large to be "
      "evaluated exactly: training diverged, or the model is damaged"
    )
  return _Layer(w, b, limit, WEIGHT_BITS + input_bits - ACTIVATION_BITS)


def _upsample(x: np.ndarray, layer: _Layer) -> np.ndarray:
  """The hyperprior's transposed convolution, `[h, w, I] -> [2h, 2w, O]`."""
  height, width, _ = x.shape
  y = np.empty((2 * height, 2 * width, layer.bias.size))
  taps = [_phase_taps(phase) for phase in range(2)]
  for row in range(2):
    for column in range(2):
      offsets = [
        (dy, dx, layer.weights[ky, kx])
        for ky, dy in taps[row]
        for kx, dx in taps[column]
      ]
      y[row::2, column::2] = _correlate(x, offsets, layer)
  return y


def _same(x: np.ndarray, layer: _Layer) -> np.ndarray:
  """A 3 x 3 convolution, `[h, w, I] -> [h, w, O]`."""
  offsets = [
    (ky - 1, kx - 1, layer.weights[ky, kx])
    for ky in range(3)
    for kx in range(3)
  ]
  return _correlate(x, offsets, layer)


def _phase_taps(phase: int) -> list[tuple[int, int]]:
  """(tap, offset of the input), as `hyperprior.phase_kernels` says."""
  return [
    (k, (phase + k - 3) // 2) for k in range(5) if (phase + k - 3) % 2 == 0
  ]


def _correlate(
  x: np.ndarray,
  offsets: list[tuple[int, int, np.ndarray]],
  layer: _Layer,
) -> np.ndarray:
  """Adds up shifted products and rounds to the activations' grid."""
  height, width, channels = x.shape
  x = np.clip(x, -layer.limit, layer.limit)
  padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
  y = np.empty((height, width, layer.bias.size))
  rows = max(1, _STRIP_POSITIONS // max(width, 1))
  for start in range(0, height, rows):
    stop = min(start + rows, height)
    total = np.broadcast_to(
      layer.bias, ((stop - start) * width, layer.bias.size)
    ).copy()
    for dy, dx, weights in offsets:
      shifted = padded[1 + start + dy : 1 + stop + dy, 1 + dx : 1 + dx + width]
      total += shifted.reshape(-1, channels) @ weights
    rounded = np.rint(np.ldexp(total, -layer.shift))
    y[start:stop] = rounded.reshape(stop - start, width, -1)
  return np.clip(y, -_MAX_ACTIVATION, _MAX_ACTIVATION)
