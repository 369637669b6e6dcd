"""What the classifiers and the U-Net share: convolutions, norms, pooling.

Batch normalisation has the constants of torchvision's models, from which the
thesis takes its networks (A.4.1), and padding is symmetric as it is there: with
a stride of 2, "SAME" would pad on one side only.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from inrjax.types import Array, PyTree

# The weight of the newest batch in the running statistics is 0.1, eps 1e-5.
_DECAY_RATE = 0.9
# He et al. (2015): the variance of a layer's gradients is kept.
_CONV_INIT = hk.initializers.VarianceScaling(2.0, "fan_out", "normal")
# U(-1 / sqrt(fan in), 1 / sqrt(fan in)).
_LINEAR_INIT = hk.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")

Forward = Callable[[Array, bool], Array]


class Stateful(NamedTuple):
  """A network with batch normalisation as two pure functions.

  Attributes:
    init: `(key, images [B, H, W, C]) -> (params, state)`; the state holds the
      running statistics.
    apply: `(params, state, images [B, H, W, C], is_training) -> (outputs,
      state)`. With `is_training` (static) the statistics are the batch's own,
      and the returned state has moved towards them.
  """

  init: Callable[[Array, Array], tuple[PyTree, PyTree]]
  apply: Callable[[PyTree, PyTree, Array, bool], tuple[Array, PyTree]]


def make_stateful(forward: Forward) -> Stateful:
  """A Haiku function `(images, is_training) -> outputs` as a `Stateful`."""
  transformed = hk.without_apply_rng(hk.transform_with_state(forward))

  def init(key: Array, images: Array) -> tuple[PyTree, PyTree]:
    params, state = transformed.init(key, images, True)
    return params, state

  def apply(
    params: PyTree, state: PyTree, images: Array, is_training: bool
  ) -> tuple[Array, PyTree]:
    outputs, new_state = transformed.apply(params, state, images, is_training)
    return outputs, new_state

  return Stateful(init, apply)


def num_parameters(network: Stateful, image_shape: Sequence[int]) -> int:
  """How many parameters the network has for images `[H, W, C]`.

  Nothing is computed: only shapes are traced. Running statistics do not count.
  """
  images = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
  params, _ = jax.eval_shape(network.init, jax.random.key(0), images)
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def check_at_least_one(**values: int | Sequence[int]) -> None:
  """Raises ValueError naming the first value that is not 1 or more."""
  for name, value in values.items():
    numbers = [value] if isinstance(value, int) else list(value)
    if not all(isinstance(n, int) and n >= 1 for n in numbers):
      raise ValueError(f"{name} must hold integers of at least 1, got {value}.")


def check_images(images: Array, *, smallest: int, name: str) -> None:
  """Raises ValueError unless images are `[B, H, W, C]` and large enough.

  Args:
    images: the network's input.
    smallest: least height and width that its pooling leaves something of.
    name: of the network, for the message.
  """
  if images.ndim != 4:
    raise ValueError(
      f"{name} takes images [B, H, W, C], got the shape {images.shape}; a "
      "single image needs a first axis of 1."
    )
  if min(images.shape[1:3]) < smallest:
    raise ValueError(
      f"{name} halves its images until less than a pixel is left of "
      f"{images.shape[1]} x {images.shape[2]}; give it at least {smallest} x "
      f"{smallest}, or fewer blocks."
    )


def conv(
  x: Array,
  width: int,
  *,
  kernel: int,
  name: str,
  stride: int = 1,
  with_bias: bool = False,
) -> Array:
  """A convolution that keeps the size at stride 1.

  Args:
    x: `[B, H, W, C]`.
    width: output channels.
    kernel: odd side of the kernel; `kernel // 2` zeros are put on each side.
    name: of the Haiku module.
    stride: of the kernel, in both directions.
    with_bias: whether a bias is added.

  Returns:
    `[B, ceil(H / stride), ceil(W / stride), width]`.
  """
  padding = (kernel // 2, kernel // 2)
  return hk.Conv2D(
    width,
    kernel,
    stride=stride,
    padding=(padding, padding),
    with_bias=with_bias,
    w_init=_CONV_INIT,
    name=name,
  )(x)


def norm(x: Array, is_training: bool, *, name: str) -> Array:
  """Batch normalisation over all axes but the last."""
  return hk.BatchNorm(True, True, _DECAY_RATE, name=name)(x, is_training)


def linear(x: Array, width: int, *, name: str) -> Array:
  """A fully connected layer on the last axis."""
  return hk.Linear(width, w_init=_LINEAR_INIT, name=name)(x)


def max_pool(x: Array, *, window: int, stride: int, padding: int = 0) -> Array:
  """Largest value of each window of `[B, H, W, C]`; -inf beyond the edges."""
  return jax.lax.reduce_window(
    x,
    -jnp.inf,
    jax.lax.max,
    window_dimensions=(1, window, window, 1),
    window_strides=(1, stride, stride, 1),
    padding=((0, 0), (padding, padding), (padding, padding), (0, 0)),
  )


def average_pool_to(x: Array, size: int) -> Array:
  """Means over equal windows: `[B, H, W, C] -> [B, size, size, C]`.

  Raises:
    ValueError: if the height or the width is not a multiple of `size`.
  """
  batch, height, width, _ = x.shape
  if height % size or width % size:
    raise ValueError(
      f"{height} x {width} features cannot be averaged to {size} x {size}; "
      "choose the images' size so that both are multiples of it."
    )
  windows = x.reshape(
    batch, size, height // size, size, width // size, x.shape[-1]
  )
  return windows.mean(axis=(2, 4))
