"""The mean-scale hyperprior: four convolutional networks around two latents.

  images x -> analysis -> latents y -> hyper-analysis -> hyper-latents z
  images   <- synthesis <- latents y
              means and scales of y <- hyper-synthesis <- hyper-latents z

The architecture is Ballé et al. (2018) with the means of Minnen et al. (2018),
as van Rozendaal et al. (2021) take it (appendix C, table 3). Table 3 calls x, z
and y by x, z_1 and z_2. The analysis quarters its images' sides twice, the
hyper-analysis those of y once more, so images have sides that are multiples of
64: see `pad` and `crop`.

The hyper-synthesis predicts means and binary logarithms of scales. Its layers
are convolutions and ReLUs and nothing else, so that a codec can evaluate it in
integers (`inrjax.codec.latent_synthesis`).

Differs from the papers: a transposed convolution of stride 2 is evaluated as
the ordinary convolution it is, onto the four phases of its output, with the
same 5 x 5 parameters and half the products of the dilated form. Where
table 3 says 256 (384) channels for the last layer of the hyper-synthesis, its
parameter count is that of two per latent, 384 (640), which is what is here.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from inrjax.networks import blocks, convolution
from inrjax.networks import gdn as gdn_lib
from inrjax.types import Array, PyTree

# Sides of images are multiples of this, those of y and z smaller by the others.
MULTIPLE = 64
LATENT_STRIDE = 16
HYPER_STRIDE = 64
# Parts of a model by who has to know them; "prior" is that of z
# (`inrjax.quantize.rate_models`).
TRANSMITTER = ("analysis", "hyper_analysis")
RECEIVER = ("synthesis", "hyper_synthesis", "prior")

_KERNEL = 5
# Layers that a ReLU follows keep the variance with twice the gain.
_PLAIN_GAIN = 1.0
_RELU_GAIN = 2.0


@dataclasses.dataclass(frozen=True)
class HyperpriorConfig:
  """The widths of a mean-scale hyperprior.

  Attributes:
    width: channels of the hidden layers of analysis and synthesis.
    latent_channels: channels of y.
    hyper_channels: channels of z and of the hyper-networks' hidden layers.
    image_channels: C of the images.
  """

  width: int = 192
  latent_channels: int = 192
  hyper_channels: int = 128
  image_channels: int = 3

  def __post_init__(self) -> None:
    blocks.check_at_least_one(
      width=self.width,
      latent_channels=self.latent_channels,
      hyper_channels=self.hyper_channels,
      image_channels=self.image_channels,
    )


def low_rate() -> HyperpriorConfig:
  """Table 3's size for beta of 1e-3 and more: 8.09 M parameters."""
  return HyperpriorConfig(192, 192, 128)


def high_rate() -> HyperpriorConfig:
  """Table 3's size for beta below 1e-3: 21.4 M parameters."""
  return HyperpriorConfig(320, 320, 192)


def small() -> HyperpriorConfig:
  """A size for two cores, not of the paper: 0.69 M parameters."""
  return HyperpriorConfig(48, 80, 40)


class Part(NamedTuple):
  """One of the four networks.

  Attributes:
    init: `(key) -> params`, a Haiku tree.
    apply: `(params, [B, h, w, c]) -> [B, h', w', c']`.
  """

  init: Callable[[Array], PyTree]
  apply: Callable[[PyTree, Array], Array]


class Hyperprior(NamedTuple):
  """The four networks; parameters are a tree for each, under its name.

  Attributes:
    config: the widths.
    analysis: images `[B, H, W, C]`, normally in [0, 1], to y
      `[B, H / 16, W / 16, latent_channels]`.
    synthesis: y to images, not clipped.
    hyper_analysis: y to z `[B, H / 64, W / 64, hyper_channels]`.
    hyper_synthesis: z to `[B, H / 16, W / 16, 2 * latent_channels]`: see
      `split_moments`.
  """

  config: HyperpriorConfig
  analysis: Part
  synthesis: Part
  hyper_analysis: Part
  hyper_synthesis: Part

  def init(self, key: Array) -> PyTree:
    """Parameters of the four, `{name of the part: Haiku tree}`."""
    names = ("analysis", "synthesis", "hyper_analysis", "hyper_synthesis")
    keys = jax.random.split(key, len(names))
    return {
      name: getattr(self, name).init(k)
      for name, k in zip(names, keys, strict=True)
    }


def make_hyperprior(config: HyperpriorConfig) -> Hyperprior:
  """The four networks of a config as pure functions."""
  image, latent, hyper = (
    config.image_channels,
    config.latent_channels,
    config.hyper_channels,
  )

  def analysis(x: Array) -> Array:
    _check(x, channels=image, multiple=LATENT_STRIDE, name="The analysis")
    for i in range(3):
      x = _Conv(config.width, name=f"conv_{i}")(x)
      x = gdn_lib.gdn(x, name=f"gdn_{i}")
    return _Conv(latent, name="conv_3")(x)

  def synthesis(x: Array) -> Array:
    _check(x, channels=latent, multiple=1, name="The synthesis")
    for i in range(3):
      x = _Upsample(config.width, name=f"conv_{i}")(x)
      x = gdn_lib.igdn(x, name=f"igdn_{i}")
    return _Upsample(image, name="conv_3")(x)

  def hyper_analysis(x: Array) -> Array:
    stride = HYPER_STRIDE // LATENT_STRIDE
    _check(x, channels=latent, multiple=stride, name="The hyper-analysis")
    x = jax.nn.relu(_Conv(hyper, 3, 1, _RELU_GAIN, name="conv_0")(x))
    x = jax.nn.relu(_Conv(hyper, gain=_RELU_GAIN, name="conv_1")(x))
    return _Conv(hyper, name="conv_2")(x)

  def hyper_synthesis(x: Array) -> Array:
    _check(x, channels=hyper, multiple=1, name="The hyper-synthesis")
    for i in range(2):
      x = jax.nn.relu(_Upsample(hyper, _RELU_GAIN, name=f"conv_{i}")(x))
    return _Conv(2 * latent, 3, 1, name="conv_2")(x)

  return Hyperprior(
    config,
    _part(analysis, image, LATENT_STRIDE),
    _part(synthesis, latent, 1),
    _part(hyper_analysis, latent, HYPER_STRIDE // LATENT_STRIDE),
    _part(hyper_synthesis, hyper, 1),
  )


def split_moments(predicted: Array) -> tuple[Array, Array]:
  """Means and log2 of scales `[..., M]` from the hyper-synthesis' output."""
  means, log_scales = jnp.split(predicted, 2, axis=-1)
  return means, log_scales


def num_parameters(params: PyTree) -> int:
  """How many parameters a tree of arrays, or of their shapes, holds."""
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def padded_size(height: int, width: int) -> tuple[int, int]:
  """The sides after `pad`: the next multiples of 64."""
  blocks.check_at_least_one(height=height, width=width)
  return -(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE


def pad(images: Array) -> Array:
  """Repeats the last row and column until the sides are multiples of 64.

  Args:
    images: `[B, H, W, C]`.

  Returns:
    `[B, H', W', C]` with the sides of `padded_size`.
  """
  blocks.check_images(images, smallest=1, name="Padding")
  height, width = images.shape[1:3]
  new_height, new_width = padded_size(height, width)
  edges = ((0, 0), (0, new_height - height), (0, new_width - width), (0, 0))
  return jnp.pad(images, edges, mode="edge")


def crop(images: Array, height: int, width: int) -> Array:
  """Undoes `pad`: the first rows and columns.

  Args:
    images: `[B, H', W', C]`.
    height: rows to keep.
    width: columns to keep.

  Returns:
    `[B, height, width, C]`.

  Raises:
    ValueError: if there are not so many.
  """
  if not (1 <= height <= images.shape[1] and 1 <= width <= images.shape[2]):
    raise ValueError(
      f"{images.shape[1]} x {images.shape[2]} images cannot be cropped to "
      f"{height} x {width}; give the size before padding."
    )
  return images[:, :height, :width]


def _part(forward: Callable[[Array], Array], channels: int, side: int) -> Part:
  transformed = hk.without_apply_rng(hk.transform(forward))

  def init(key: Array) -> PyTree:
    return transformed.init(key, jnp.zeros((1, side, side, channels)))

  def apply(params: PyTree, x: Array) -> Array:
    result: Array = transformed.apply(params, x)
    return result

  return Part(init, apply)


def _check(x: Array, *, channels: int, multiple: int, name: str) -> None:
  blocks.check_images(x, smallest=1, name=name)
  if x.shape[-1] != channels:
    raise ValueError(
      f"{name} takes {channels} channels, got {x.shape[-1]}: check the "
      "config, or the order of the axes."
    )
  if x.shape[1] % multiple or x.shape[2] % multiple:
    raise ValueError(
      f"{name} takes sides that are multiples of {multiple}, got "
      f"{x.shape[1]} x {x.shape[2]}: use pad on the images."
    )


class _Conv(hk.Module):
  """A convolution, zeros outside."""

  def __init__(
    self,
    width: int,
    kernel: int = _KERNEL,
    stride: int = 2,
    gain: float = _PLAIN_GAIN,
    *,
    name: str,
  ):
    super().__init__(name=name)
    self._width = width
    self._kernel = kernel
    self._stride = stride
    self._init = hk.initializers.VarianceScaling(gain, "fan_in", "normal")

  def __call__(self, x: Array) -> Array:
    shape = (self._kernel, self._kernel, x.shape[-1], self._width)
    w = hk.get_parameter("w", shape, x.dtype, self._init)
    b = hk.get_parameter("b", (self._width,), x.dtype, jnp.zeros)
    y = convolution.convolve(x, w, self._stride)
    return y + b.reshape(1, 1, 1, -1)


class _Upsample(hk.Module):
  """A transposed 5 x 5 convolution of stride 2, zeros outside."""

  def __init__(self, width: int, gain: float = _PLAIN_GAIN, *, name: str):
    super().__init__(name=name)
    self._width = width
    # Only one in four of the taps meets a given output.
    self._init = hk.initializers.VarianceScaling(4 * gain, "fan_in", "normal")

  def __call__(self, x: Array) -> Array:
    shape = (_KERNEL, _KERNEL, x.shape[-1], self._width)
    w = hk.get_parameter("w", shape, x.dtype, self._init)
    b = hk.get_parameter("b", (self._width,), x.dtype, jnp.zeros)
    phases = convolution.convolve(x, phase_kernels(w))
    return convolution.phases_to_space(phases) + b.reshape(1, 1, 1, -1)


def phase_kernels(w: Array) -> Array:
  """The kernel onto the four phases of a transposed convolution's output.

  Output 2 i + p is the sum over taps k of `w[k] x[i + (p + k - 3) / 2]` where
  that is an integer: taps 1 and 3 for p = 0, and 0, 2 and 4 for p = 1.

  Args:
    w: `[5, 5, I, O]`.

  Returns:
    `[3, 3, I, 4 O]`, the phases in the order (row, column, channel).
  """
  inputs, outputs = w.shape[2:]
  w = jnp.pad(w, ((0, 1), (0, 1), (0, 0), (0, 0)))
  # Of each pair of taps the second belongs to phase 0.
  w = w.reshape(3, 2, 3, 2, inputs, outputs)[:, ::-1, :, ::-1]
  return w.transpose(0, 2, 4, 1, 3, 5).reshape(3, 3, inputs, 4 * outputs)
