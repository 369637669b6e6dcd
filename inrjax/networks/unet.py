"""The U-Net (Ronneberger et al., 2015), of the segmentation task of A.7.

A contracting path of pairs of 3x3 convolutions with max-pooling between them,
and an expanding path whose features are concatenated with those of the same
size on the way down.

Parameters for one input channel and two classes: 31.04 M (31.03 M without batch
normalisation, as published).

Differs from the paper: convolutions are padded, so that the output has the
images' size and nothing is cropped, and are followed by batch normalisation
unless `batch_norm` is off.
"""

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from inrjax.networks import blocks
from inrjax.types import Array


@dataclasses.dataclass(frozen=True)
class UNetConfig:
  """The shape of a U-Net; narrow `widths` serve a CPU.

  Attributes:
    num_classes: channels of the output.
    widths: channels of each level, the finest first.
    batch_norm: whether each 3x3 convolution is followed by batch normalisation.
  """

  num_classes: int = 2
  widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
  batch_norm: bool = True

  def __post_init__(self) -> None:
    blocks.check_at_least_one(num_classes=self.num_classes, widths=self.widths)
    if len(self.widths) < 2:
      raise ValueError(
        f"widths must name at least two levels, got {self.widths}."
      )


def unet(config: UNetConfig) -> blocks.Forward:
  """The forward function, to be passed to `hk.transform_with_state`.

  Args:
    config: the network's shape.

  Returns:
    A function of images `[B, H, W, C]` and `is_training` to logits
    `[B, H, W, num_classes]`; height and width must be multiples of
    `2 ** (levels - 1)`.
  """

  def pair(x: Array, width: int, is_training: bool, *, name: str) -> Array:
    for i in range(2):
      x = blocks.conv(
        x, width, kernel=3, with_bias=True, name=f"{name}_conv_{i}"
      )
      if config.batch_norm:
        x = blocks.norm(x, is_training, name=f"{name}_norm_{i}")
      x = jax.nn.relu(x)
    return x

  def forward(images: Array, is_training: bool) -> Array:
    multiple = 2 ** (len(config.widths) - 1)
    blocks.check_images(images, smallest=multiple, name="This U-Net")
    if images.shape[1] % multiple or images.shape[2] % multiple:
      raise ValueError(
        f"A U-Net of {len(config.widths)} levels takes images whose sides are "
        f"multiples of {multiple}, got {images.shape[1]} x {images.shape[2]}; "
        "pad them."
      )
    x = images
    skips = []
    for level, width in enumerate(config.widths[:-1]):
      x = pair(x, width, is_training, name=f"down_{level}")
      skips.append(x)
      x = blocks.max_pool(x, window=2, stride=2)
    x = pair(x, config.widths[-1], is_training, name="bottom")
    for level in reversed(range(len(skips))):
      width = config.widths[level]
      x = hk.Conv2DTranspose(width, 2, stride=2, name=f"up_{level}_expand")(x)
      x = jnp.concatenate([skips[level], x], axis=-1)
      x = pair(x, width, is_training, name=f"up_{level}")
    return blocks.conv(
      x, config.num_classes, kernel=1, with_bias=True, name="logits"
    )

  return forward


def make_unet(config: UNetConfig) -> blocks.Stateful:
  """A U-Net as a pair of pure functions."""
  return blocks.make_stateful(unet(config))
