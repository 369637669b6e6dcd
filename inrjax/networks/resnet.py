"""Residual networks (He et al., 2016) with the stem of CIFAR or of ImageNet.

  `resnet20`  three stages of 16, 32 and 64 channels; where the width changes, a
              1x1 convolution is the shortcut, as in the benchmark of Frankle et
              al. (2021) that the thesis compares with (A.4.1)
  `resnet18`, `resnet50`  torchvision's, by default with A.4.1's small stem: a
              3x3 convolution of stride 1 and no max-pooling

Parameters with 10 classes (1000 and `IMAGENET_STEM`): resnet20 0.27 M, resnet18
11.17 M (11.69 M), resnet50 23.52 M (25.56 M).
"""

import dataclasses

import jax

from inrjax.networks import blocks
from inrjax.types import Array

# A bottleneck's last convolution has this many times the channels of the first.
_EXPANSION = 4


@dataclasses.dataclass(frozen=True)
class Stem:
  """The first layer.

  Attributes:
    kernel: side of its convolution, odd.
    stride: of the convolution.
    max_pool: whether a 3x3 max-pooling of stride 2 follows.
  """

  kernel: int
  stride: int
  max_pool: bool

  def __post_init__(self) -> None:
    blocks.check_at_least_one(kernel=self.kernel, stride=self.stride)
    if self.kernel % 2 == 0:
      raise ValueError(f"kernel must be odd, got {self.kernel}.")


CIFAR_STEM = Stem(kernel=3, stride=1, max_pool=False)
IMAGENET_STEM = Stem(kernel=7, stride=2, max_pool=True)


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
  """The shape of a residual network; narrow `widths` serve a CPU.

  Attributes:
    num_classes: outputs.
    num_blocks: residual blocks of each stage.
    widths: channels of each stage (inside its blocks, with bottlenecks).
    bottleneck: blocks of 1x1, 3x3 and 1x1 convolutions, four times as wide at
      their ends, instead of two 3x3 convolutions.
    stem: the first layer, as wide as the first stage.
  """

  num_classes: int = 10
  num_blocks: tuple[int, ...] = (2, 2, 2, 2)
  widths: tuple[int, ...] = (64, 128, 256, 512)
  bottleneck: bool = False
  stem: Stem = CIFAR_STEM

  def __post_init__(self) -> None:
    blocks.check_at_least_one(
      num_classes=self.num_classes,
      num_blocks=self.num_blocks,
      widths=self.widths,
    )
    if len(self.num_blocks) != len(self.widths) or not self.widths:
      raise ValueError(
        f"num_blocks and widths name {len(self.num_blocks)} and "
        f"{len(self.widths)} stages; give both one entry for each stage."
      )


def resnet20(num_classes: int = 10) -> ResNetConfig:
  """ResNet-20 for CIFAR."""
  return ResNetConfig(num_classes, (3, 3, 3), (16, 32, 64))


def resnet18(num_classes: int = 10, *, stem: Stem = CIFAR_STEM) -> ResNetConfig:
  """ResNet-18."""
  return ResNetConfig(num_classes, stem=stem)


def resnet50(num_classes: int = 10, *, stem: Stem = CIFAR_STEM) -> ResNetConfig:
  """ResNet-50."""
  return ResNetConfig(num_classes, (3, 4, 6, 3), bottleneck=True, stem=stem)


def _block(
  x: Array,
  is_training: bool,
  layers: list[tuple[int, int, int]],
  *,
  project: bool,
  name: str,
) -> Array:
  """relu(f(x) + shortcut(x)) for f of (width, kernel, stride) convolutions."""
  shortcut = x
  for i, (width, kernel, stride) in enumerate(layers):
    if i:
      x = jax.nn.relu(x)
    x = blocks.conv(
      x, width, kernel=kernel, stride=stride, name=f"{name}_conv_{i}"
    )
    x = blocks.norm(x, is_training, name=f"{name}_norm_{i}")
  if project:
    stride = max(s for _, _, s in layers)
    shortcut = blocks.conv(
      shortcut, layers[-1][0], kernel=1, stride=stride, name=f"{name}_shortcut"
    )
    shortcut = blocks.norm(shortcut, is_training, name=f"{name}_shortcut_norm")
  return jax.nn.relu(x + shortcut)


def resnet(config: ResNetConfig) -> blocks.Forward:
  """The forward function, to be passed to `hk.transform_with_state`.

  Args:
    config: the network's shape.

  Returns:
    A function of images `[B, H, W, C]` and `is_training` to logits
    `[B, num_classes]`.
  """

  def layers(width: int, stride: int) -> list[tuple[int, int, int]]:
    if config.bottleneck:
      # The stride is in the 3x3 convolution, as in torchvision.
      return [(width, 1, 1), (width, 3, stride), (_EXPANSION * width, 1, 1)]
    return [(width, 3, stride), (width, 3, 1)]

  def forward(images: Array, is_training: bool) -> Array:
    blocks.check_images(images, smallest=1, name="This residual network")
    stem = config.stem
    x = blocks.conv(
      images,
      config.widths[0],
      kernel=stem.kernel,
      stride=stem.stride,
      name="stem_conv",
    )
    x = jax.nn.relu(blocks.norm(x, is_training, name="stem_norm"))
    if stem.max_pool:
      x = blocks.max_pool(x, window=3, stride=2, padding=1)
    # Decided from the config and not from x: a pruned network has the same
    # layers, whatever the widths it is left with.
    channels = config.widths[0]
    for stage, (count, width) in enumerate(
      zip(config.num_blocks, config.widths, strict=True)
    ):
      for i in range(count):
        stride = 2 if stage and i == 0 else 1
        convs = layers(width, stride)
        project = stride > 1 or channels != convs[-1][0]
        channels = convs[-1][0]
        name = f"stage_{stage}_block_{i}"
        x = _block(x, is_training, convs, project=project, name=name)
    return blocks.linear(x.mean((1, 2)), config.num_classes, name="logits")

  return forward


def make_resnet(config: ResNetConfig) -> blocks.Stateful:
  """A residual network as a pair of pure functions."""
  return blocks.make_stateful(resnet(config))
