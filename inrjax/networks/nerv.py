"""NeRV: a video as a function of time alone (Chen et al., 2021).

A point is a whole frame. The time of a frame is embedded in sines and cosines,
an MLP makes a small map of features of it, and blocks of a convolution, a pixel
shuffle and a GELU enlarge it to the frame. Four blocks make 128 x 128, five
256 x 256 (Tack et al., 2023, A.2), with `small` and `large`.
"""

import dataclasses
import math
from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp

from inrjax.types import Array


@dataclasses.dataclass(frozen=True)
class NervConfig:
  """The shape of a NeRV.

  Attributes:
    strides: enlargement of each block; a frame is `stem_size` times their
      product.
    stem_size: height and width of the stem's map.
    stem_channels: its channels.
    stem_width: units of the stem's one hidden layer.
    expansion: channels of the first block over `stem_channels`; every later
      block has half the channels of the one before it.
    min_channels: no block has fewer.
    num_frequencies: sines, and as many cosines, of the time embedding.
    frequency_base: b of the embedding's frequencies pi b^i.
    out_dim: channels C of a pixel.
  """

  strides: tuple[int, ...] = (4, 2, 2, 2)
  stem_size: tuple[int, int] = (4, 4)
  stem_channels: int = 32
  stem_width: int = 512
  expansion: int = 4
  min_channels: int = 32
  num_frequencies: int = 40
  frequency_base: float = 1.25
  out_dim: int = 3

  def __post_init__(self) -> None:
    if not self.strides:
      raise ValueError("strides is empty; name the enlargement of each block.")
    counts = {f"strides[{i}]": s for i, s in enumerate(self.strides)}
    counts |= {f"stem_size[{i}]": s for i, s in enumerate(self.stem_size)}
    for field in dataclasses.fields(self):
      if field.type is int:
        counts[field.name] = getattr(self, field.name)
    for name, value in counts.items():
      if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}.")
    if not 1 < self.frequency_base < math.inf:
      raise ValueError(
        f"frequency_base must be finite and above 1, got {self.frequency_base}."
      )

  def frame_shape(self) -> tuple[int, int, int]:
    """H, W and C of the frames it makes."""
    factor = math.prod(self.strides)
    height, width = self.stem_size
    return height * factor, width * factor, self.out_dim

  def block_channels(self) -> tuple[int, ...]:
    """Channels that come out of each block."""
    channels = [self.stem_channels * self.expansion]
    for _ in self.strides[1:]:
      channels.append(max(channels[-1] // 2, self.min_channels))
    return tuple(channels)


def small() -> NervConfig:
  """Four blocks, frames of 128 x 128."""
  return NervConfig()


def large() -> NervConfig:
  """Five blocks, frames of 256 x 256."""
  return NervConfig(strides=(4, 2, 2, 2, 2))


def time_embedding(
  times: Array, *, num_frequencies: int, frequency_base: float
) -> Array:
  """sin(pi b^i t) and cos(pi b^i t), NeRV eq. 1.

  Args:
    times: `[T]` in [0, 1].
    num_frequencies: how many i, from 0.
    frequency_base: b.

  Returns:
    `[T, 2 num_frequencies]`, all sines first.
  """
  frequencies = math.pi * frequency_base ** jnp.arange(
    num_frequencies, dtype=times.dtype
  )
  phases = times[:, None] * frequencies[None]
  return jnp.concatenate([jnp.sin(phases), jnp.cos(phases)], axis=-1)


def pixel_shuffle(x: Array, factor: int) -> Array:
  """Channels become pixels.

  Args:
    x: `[T, H, W, C factor^2]`; of the channels, C is the fastest axis, then
      the column within a pixel, then its row.
    factor: enlargement of both sides.

  Returns:
    `[T, H factor, W factor, C]`.
  """
  num_frames, height, width, channels = x.shape
  split = x.reshape(num_frames, height, width, factor, factor, -1)
  return split.transpose(0, 1, 3, 2, 4, 5).reshape(
    num_frames,
    height * factor,
    width * factor,
    channels // factor**2,
  )


def output_slope(values: Array) -> Array:
  """Slope of (1 + tanh)/2 where it has these values; for `gradient_norm`."""
  return 2 * values * (1 - values)


def nerv(config: NervConfig) -> Callable[[Array], tuple[Array, Array]]:
  """The forward function, to be passed to `hk.transform`.

  Weights and biases are uniform in +-1/sqrt(fan in), and (1 + tanh)/2 brings
  the last layer to [0, 1], as in the published code.

  Args:
    config: the network's shape.

  Returns:
    A function of frame times `[T, 1]` in [-1, 1] to frames `[T, H W C]`, with
    the channels last, and the last layer's inputs `[T, H W, width]`.
  """
  channels = config.block_channels()

  def forward(coords: Array) -> tuple[Array, Array]:
    num_frames = coords.shape[0]
    # Differs from the papers only in where the times are mapped to [0, 1].
    h = time_embedding(
      (coords[:, 0] + 1) / 2,
      num_frequencies=config.num_frequencies,
      frequency_base=config.frequency_base,
    )
    h = jax.nn.gelu(_linear(h, config.stem_width, "stem_hidden"))
    height, width = config.stem_size
    stem_dim = height * width * config.stem_channels
    h = jax.nn.gelu(_linear(h, stem_dim, "stem"))
    h = h.reshape(num_frames, height, width, config.stem_channels)
    for i, (stride, out) in enumerate(
      zip(config.strides, channels, strict=True)
    ):
      h = _Conv(out * stride**2, f"block_{i}")(h)
      h = jax.nn.gelu(pixel_shuffle(h, stride))
    features = h.reshape(num_frames, -1, h.shape[-1])
    values = (1 + jnp.tanh(_linear(features, config.out_dim, "head"))) / 2
    return values.reshape(num_frames, -1), features

  return forward


def _uniform(fan_in: int) -> hk.initializers.Initializer:
  bound = 1 / math.sqrt(fan_in)
  return hk.initializers.RandomUniform(-bound, bound)


def _linear(x: Array, out: int, name: str) -> Array:
  init = _uniform(x.shape[-1])
  layer = hk.Linear(out, w_init=init, b_init=init, name=name)
  result: Array = layer(x)
  return result


class _Conv(hk.Module):
  """A convolution of 3 x 3, zero outside of the map."""

  def __init__(self, out: int, name: str):
    super().__init__(name=name)
    self._out = out

  def __call__(self, x: Array) -> Array:
    init = _uniform(9 * x.shape[-1])
    w = hk.get_parameter("w", (3, 3, x.shape[-1], self._out), init=init)
    b = hk.get_parameter("b", (self._out,), init=init)
    # XLA's own convolution took 11 times as long on a CPU, in the derivatives
    # of an inner loop; an accelerator has it in hardware.
    y = jax.lax.platform_dependent(
      x, w, cpu=product_of_patches, default=convolution
    )
    return y + b.reshape(1, 1, 1, -1)


def convolution(x: Array, w: Array) -> Array:
  """A convolution of 3 x 3 with zeros around.

  Args:
    x: `[T, H, W, in]`.
    w: `[3, 3, in, out]`.

  Returns:
    `[T, H, W, out]`.
  """
  return jax.lax.conv_general_dilated(
    x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
  )


def product_of_patches(x: Array, w: Array) -> Array:
  """The same as one matrix product of the 3 x 3 patches."""
  height, width = x.shape[1:3]
  padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  patches = jnp.concatenate(
    [
      padded[:, i : i + height, j : j + width]
      for i in range(3)
      for j in range(3)
    ],
    axis=-1,
  )
  return patches @ w.reshape(-1, w.shape[-1])
