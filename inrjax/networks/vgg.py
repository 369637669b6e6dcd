"""VGG with batch normalisation (Simonyan & Zisserman, 2015; thesis ch. 3, 4).

Blocks of 3x3 convolutions with 2x2 max-pooling between them, then a classifier.
The published variants differ in the blocks and in the classifier:

  `vgg16`, `vgg19`  the CIFAR and Tiny-ImageNet form of A.4.1: torchvision's
                    convolutions, a global average, one linear layer
  `vgg19_3sp`       the network of A.1, called VGG-19 there, with the 13
                    convolutions of a VGG-16 and linear layers of 1024 and 512
  `*_imagenet`      torchvision's, with linear layers of 4096 and 4096
  `vgg_like`        (2 x 128)(2 x 256)(2 x 512), linear 1024, 1024 (ch. 4)

Parameters with 10 classes (1000 for ImageNet): vgg16 14.73 M, vgg19 20.04 M,
vgg19_3sp 17.35 M, vgg16_imagenet 138.37 M (138.36 M without batch norm),
vgg19_imagenet 143.68 M (143.67 M), vgg_like 14.03 M.

Differs from the papers: no dropout in the classifiers of the ImageNet forms.
"""

import dataclasses

import haiku as hk
import jax

from inrjax.networks import blocks
from inrjax.types import Array

_WIDTHS = (64, 128, 256, 512, 512)
_CONVS_16 = (2, 2, 3, 3, 3)
_CONVS_19 = (2, 2, 4, 4, 4)


@dataclasses.dataclass(frozen=True)
class VggConfig:
  """The shape of a VGG; narrow `widths` serve a CPU.

  Attributes:
    num_classes: outputs.
    convs: number of convolutions in each block.
    widths: channels of each block.
    hidden: widths of the classifier's hidden linear layers.
    pooled_size: side to which features are averaged before the classifier.
    pool_last: whether there is a max-pooling after the last block too.
    batch_norm: whether each convolution is followed by batch normalisation;
      hidden linear layers are if `hidden_norm` is set too.
    hidden_norm: batch normalisation after the hidden linear layers.
  """

  num_classes: int = 10
  convs: tuple[int, ...] = _CONVS_16
  widths: tuple[int, ...] = _WIDTHS
  hidden: tuple[int, ...] = ()
  pooled_size: int = 1
  pool_last: bool = False
  batch_norm: bool = True
  hidden_norm: bool = False

  def __post_init__(self) -> None:
    blocks.check_at_least_one(
      num_classes=self.num_classes,
      convs=self.convs,
      widths=self.widths,
      hidden=self.hidden,
      pooled_size=self.pooled_size,
    )
    if len(self.convs) != len(self.widths) or not self.convs:
      raise ValueError(
        f"convs and widths name {len(self.convs)} and {len(self.widths)} "
        "blocks; give both one entry for each block."
      )


def vgg16(num_classes: int = 10) -> VggConfig:
  """VGG-16 for CIFAR and Tiny-ImageNet (A.4.1)."""
  return VggConfig(num_classes=num_classes, convs=_CONVS_16)


def vgg19(num_classes: int = 10) -> VggConfig:
  """VGG-19 for CIFAR and Tiny-ImageNet (A.4.1)."""
  return VggConfig(num_classes=num_classes, convs=_CONVS_19)


def vgg19_3sp(num_classes: int = 10) -> VggConfig:
  """The network of the 3SP experiments (A.1)."""
  return VggConfig(
    num_classes=num_classes, convs=_CONVS_16, hidden=(1024, 512), pooled_size=2
  )


def vgg16_imagenet(num_classes: int = 1000) -> VggConfig:
  """VGG-16 for images of 224 x 224."""
  return dataclasses.replace(vgg19_imagenet(num_classes), convs=_CONVS_16)


def vgg19_imagenet(num_classes: int = 1000) -> VggConfig:
  """VGG-19 for images of 224 x 224."""
  return VggConfig(
    num_classes=num_classes,
    convs=_CONVS_19,
    hidden=(4096, 4096),
    pooled_size=7,
    pool_last=True,
  )


def vgg_like(num_classes: int = 10) -> VggConfig:
  """The VGG-like network of the quantisation literature (thesis ch. 4).

  The thesis names it without a table; these are the layers of Courbariaux et
  al. (2015), which the name stands for.
  """
  return VggConfig(
    num_classes=num_classes,
    convs=(2, 2, 2),
    widths=(128, 256, 512),
    hidden=(1024, 1024),
    pooled_size=4,
    pool_last=True,
    hidden_norm=True,
  )


def vgg(config: VggConfig) -> blocks.Forward:
  """The forward function, to be passed to `hk.transform_with_state`.

  Args:
    config: the network's shape.

  Returns:
    A function of images `[B, H, W, C]` and `is_training` to logits
    `[B, num_classes]`.
  """
  last = len(config.convs) - 1
  num_pools = last + config.pool_last

  def forward(images: Array, is_training: bool) -> Array:
    blocks.check_images(images, smallest=2**num_pools, name="This VGG")
    x = images
    for b, (count, width) in enumerate(
      zip(config.convs, config.widths, strict=True)
    ):
      for i in range(count):
        name = f"block_{b}_conv_{i}"
        x = blocks.conv(x, width, kernel=3, with_bias=True, name=name)
        if config.batch_norm:
          x = blocks.norm(x, is_training, name=f"block_{b}_norm_{i}")
        x = jax.nn.relu(x)
      if b < last or config.pool_last:
        x = blocks.max_pool(x, window=2, stride=2)
    x = hk.Flatten()(blocks.average_pool_to(x, config.pooled_size))
    for i, width in enumerate(config.hidden):
      x = blocks.linear(x, width, name=f"hidden_{i}")
      if config.hidden_norm:
        x = blocks.norm(x, is_training, name=f"hidden_norm_{i}")
      x = jax.nn.relu(x)
    return blocks.linear(x, config.num_classes, name="logits")

  return forward


def make_vgg(config: VggConfig) -> blocks.Stateful:
  """A VGG as a pair of pure functions."""
  return blocks.make_stateful(vgg(config))
