"""What rounded latents cost: densities, their discretised forms, bits.

A latent v is rounded to integers, and an integer costs the mass that a density
has in its interval,

  bits(q) = -log2 (P(v < q + 1/2) - P(v < q - 1/2)).

The density of the hyper-latents z is learned, one for each channel (Ballé et
al., 2018, section 6.1); that of the latents y is a Gaussian around a predicted
mean with a predicted scale (Minnen et al., 2018).

While a model is trained, the rate sees latents with uniform noise in place of
rounding, and the distortion sees rounded ones whose derivative is taken to be
1: the mixed quantisation of van Rozendaal et al. (2021, appendix C).

Differs from the papers: masses are differences of logarithms that stay exact in
the tails, so that no probability needs a floor, below which nothing would be
learned.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jax.scipy import special

from inrjax.quantize import uniform
from inrjax.types import Array, PyTree

# Hidden widths of the learned densities: 43 parameters for each channel.
_WIDTHS = (3, 3, 3)
NUM_LAYERS = len(_WIDTHS) + 1
# The learned densities begin about this wide.
_INITIAL_SCALE = 10.0
_LN2 = math.log(2.0)


@dataclasses.dataclass(frozen=True)
class ScaleGrid:
  """The scales that a codec knows, evenly spaced in their binary logarithms.

  At sixteen scales to the octave the nearest one costs 0.0002 bits for each
  latent more than the scale itself, on average.

  Attributes:
    lowest: log2 of the smallest scale; its zero costs nothing.
    highest: log2 of the largest.
    per_octave: scales between one and its double, a power of two, so that
      comparing logarithms with the grid is exact.
  """

  lowest: float = -3.5
  highest: float = 6.0
  per_octave: int = 16

  def __post_init__(self) -> None:
    octaves = self.highest - self.lowest
    steps = octaves * self.per_octave
    if self.per_octave < 1 or self.per_octave & (self.per_octave - 1):
      raise ValueError(
        f"per_octave must be a power of two, got {self.per_octave}."
      )
    if not 0 < octaves < 64 or steps != int(steps):
      raise ValueError(
        "A grid of scales needs lowest < highest, a multiple of 1 / per_octave "
        f"apart, got {self.lowest} and {self.highest}."
      )
    if self.lowest * self.per_octave != int(self.lowest * self.per_octave):
      raise ValueError(
        f"lowest must be a multiple of 1 / {self.per_octave}, got "
        f"{self.lowest}."
      )

  @property
  def num_scales(self) -> int:
    """How many scales there are."""
    return int((self.highest - self.lowest) * self.per_octave) + 1

  def scales(self, log_scales: Array) -> Array:
    """Scales within the range of the grid, not rounded to it.

    Args:
      log_scales: `[...]` log2 of scales, anything.

    Returns:
      `[...]` scales; their derivative is that of the exponential at the nearer
      end also where it is clipped, so that what left the range can come back.
    """
    clipped = jnp.clip(log_scales, self.lowest, self.highest)
    offset = jax.lax.stop_gradient(clipped - log_scales)
    return jnp.exp2(log_scales + offset)


# The grid of every codec: 153 scales from 0.09 to 64.
DEFAULT_GRID = ScaleGrid()


def noisy(key: Array, latents: Array) -> Array:
  """Latents with noise of `U(-1/2, 1/2)`: what the rate of training sees."""
  return latents + jax.random.uniform(
    key, latents.shape, latents.dtype, -0.5, 0.5
  )


def rounded(latents: Array, means: Array) -> Array:
  """`round(latents - means) + means`: what the distortion sees.

  Args:
    latents: `[...]`.
    means: `[...]`, zeros for latents without.

  Returns:
    `[...]`, with the derivative 1 with respect to the latents and, since the
    integers do not depend on them, 0 with respect to the means.
  """
  return uniform.round_straight_through(latents - means) + means


def gaussian_bits(residuals: Array, scales: Array) -> Array:
  """Bits of integers, or noisy values, under a discretised Gaussian.

  Args:
    residuals: `[...]` latents less their means.
    scales: `[...]` standard deviations, positive.

  Returns:
    `[...]` bits.
  """
  # In the tail the smaller of two tiny numbers is subtracted from the larger.
  magnitude = jnp.abs(residuals)
  above = special.log_ndtr((0.5 - magnitude) / scales)
  below = special.log_ndtr((-0.5 - magnitude) / scales)
  return -_log_difference(above, below) / _LN2


def init_factorized(key: Array, num_channels: int) -> PyTree:
  """Parameters of one learned density for each channel.

  Args:
    key: random key.
    num_channels: C.

  Returns:
    `{"layer_k": {"matrix": [C, out, in], "bias": [C, out], "factor": [C,
    out]}}`, the last layer without a factor; 43 numbers for each channel.

  Raises:
    ValueError: for no channels.
  """
  if num_channels < 1:
    raise ValueError(f"num_channels must be at least 1, got {num_channels}.")
  widths = (1, *_WIDTHS, 1)
  scale = _INITIAL_SCALE ** (1 / NUM_LAYERS)
  params = {}
  keys = jax.random.split(key, NUM_LAYERS)
  for k, (inputs, outputs) in enumerate(
    zip(widths[:-1], widths[1:], strict=True)
  ):
    start = math.log(math.expm1(1 / (scale * outputs)))
    layer = {
      "matrix": jnp.full((num_channels, outputs, inputs), start),
      "bias": jax.random.uniform(
        keys[k], (num_channels, outputs), minval=-0.5, maxval=0.5
      ),
    }
    if k < NUM_LAYERS - 1:
      layer["factor"] = jnp.zeros((num_channels, outputs))
    params[f"layer_{k}"] = layer
  return params


def factorized_logits(params: PyTree, values: Array) -> Array:
  """Logits of the cumulative distributions, rising in the values.

  `f_K o ... o f_1` of Ballé et al. (2018), eqs. 16 to 18, with
  `f_k(x) = g_k(softplus(H_k) x + b_k)`, `g_k(x) = x + tanh(a_k) tanh(x)` and
  the last g the logistic function, which is left out here.

  Args:
    params: as `init_factorized` makes them.
    values: `[..., C]`.

  Returns:
    `[..., C]`.

  Raises:
    ValueError: if there are not as many channels as densities.
  """
  num_channels = params["layer_0"]["matrix"].shape[0]
  if values.ndim < 1 or values.shape[-1] != num_channels:
    raise ValueError(
      f"The prior has {num_channels} channels, the values have the shape "
      f"{list(values.shape)}: put the channels last."
    )
  x = jnp.moveaxis(values, -1, 0).reshape(num_channels, 1, -1)
  for k in range(NUM_LAYERS):
    layer = params[f"layer_{k}"]
    x = jax.nn.softplus(layer["matrix"]) @ x + layer["bias"][..., None]
    if "factor" in layer:
      x = x + jnp.tanh(layer["factor"])[..., None] * jnp.tanh(x)
  channels_first = (num_channels, *values.shape[:-1])
  return jnp.moveaxis(x.reshape(channels_first), 0, -1)


def factorized_bits(params: PyTree, values: Array) -> Array:
  """Bits of integers, or noisy values, under the learned densities.

  Args:
    params: as `init_factorized` makes them.
    values: `[..., C]`.

  Returns:
    `[..., C]` bits.
  """
  below = factorized_logits(params, values - 0.5)
  above = factorized_logits(params, values + 0.5)
  # To the right of the median the distribution's mirror image is used, whose
  # logarithms do not vanish.
  sign = jax.lax.stop_gradient(jnp.where(below + above > 0, -1.0, 1.0))
  low = jnp.where(sign > 0, below, -above)
  high = jnp.where(sign > 0, above, -below)
  log_mass = _log_difference(jax.nn.log_sigmoid(high), jax.nn.log_sigmoid(low))
  return -log_mass / _LN2


def _log_difference(larger: Array, smaller: Array) -> Array:
  """`log(exp(larger) - exp(smaller))`."""
  return larger + jnp.log(-jnp.expm1(smaller - larger))
