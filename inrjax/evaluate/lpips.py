"""LPIPS, a distance of pictures as the features of a network see them.

Zhang et al. (2018), version 0.1, on AlexNet (what papers call LPIPS where they
do not say) or VGG16. The weights are the user's: nothing is downloaded, and
docs/data_sets.md says how to write a file of them.
"""

import dataclasses
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from inrjax.evaluate import metrics
from inrjax.types import Array

HOW_TO = (
  "docs/data_sets.md names the arrays of an .npz file of LPIPS weights, with "
  "the lines that write one"
)
# The mean and deviation of a channel among ImageNet's pictures in [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10  # A place without any feature has no direction.
_UNREADABLE = (
  OSError,
  ValueError,
  EOFError,
  KeyError,
  zipfile.BadZipFile,
  zlib.error,
)


class LpipsWeightsError(ValueError):
  """A file that holds no weights of LPIPS."""


class LpipsWeights(NamedTuple):
  """A network's convolutions, and what its features count.

  Attributes:
    convs: kernel `[out, in, k, k]` and bias `[out]` of each, in their order; 5
      are AlexNet's and 13 VGG16's.
    lins: weight `[out]` of every channel of the five layers compared.
  """

  convs: tuple[tuple[Array, Array], ...]
  lins: tuple[Array, ...]


@dataclasses.dataclass(frozen=True)
class _Conv:
  """A convolution with a ReLU behind it.

  Attributes:
    kernel: its side.
    stride: pixels from one place to the next.
    padding: zeros on each side.
    pool: side of the maximum that is taken of what goes in; 0 for none.
    compared: whether what comes out is one of the five layers.
  """

  kernel: int = 3
  stride: int = 1
  padding: int = 1
  pool: int = 0
  compared: bool = False


_POOL_STRIDE = 2
_ALEXNET = (
  _Conv(kernel=11, stride=4, padding=2, compared=True),
  _Conv(kernel=5, padding=2, pool=3, compared=True),
  _Conv(pool=3, compared=True),
  _Conv(compared=True),
  _Conv(compared=True),
)
_VGG16 = (
  _Conv(),
  _Conv(compared=True),
  _Conv(pool=2),
  _Conv(compared=True),
  _Conv(pool=2),
  _Conv(),
  _Conv(compared=True),
  _Conv(pool=2),
  _Conv(),
  _Conv(compared=True),
  _Conv(pool=2),
  _Conv(),
  _Conv(compared=True),
)
# By their number of convolutions.
_NETWORKS = {len(convs): convs for convs in (_ALEXNET, _VGG16)}
# Pixels; a smaller picture has no place left in the last layer.
_LEAST_SIDES = {len(_ALEXNET): 31, len(_VGG16): 16}


def read_lpips_weights(path: str | os.PathLike[str]) -> LpipsWeights:
  """Weights out of an `.npz` archive, of which nothing is unpickled.

  Args:
    path: an archive of `conv0_w` `[out, in, k, k]`, `conv0_b` `[out]`, and so
      on for 5 convolutions (AlexNet) or 13 (VGG16), and `lin0` to `lin4`
      `[out]`. Numbers of channels are the file's.

  Raises:
    LpipsWeightsError: if it cannot be read; or naming an array that is missing
      or not as it must be.
  """
  try:
    # NumPy leaves a broken file open if it opens it itself.
    with (
      open(path, "rb") as stream,
      np.load(stream, allow_pickle=False) as archive,
    ):
      arrays = {name: archive[name] for name in archive.files}
  except (*_UNREADABLE, AttributeError, TypeError) as error:
    raise LpipsWeightsError(
      f"Cannot read LPIPS weights from {path}: {error}. {HOW_TO}."
    ) from error
  try:
    return _checked(arrays)
  except LpipsWeightsError as error:
    raise LpipsWeightsError(f"{path}: {error} {HOW_TO}.") from error


def lpips(
  weights: LpipsWeights, originals: npt.ArrayLike, others: npt.ArrayLike
) -> npt.NDArray[np.float32]:
  """LPIPS of pictures, after 8-bit rounding: 0 for the same, higher for worse.

  sum_l mean_(h, w) sum_c w_lc (y_lhwc - z_lhwc)^2, with y and z the features of
  layer l of the two pictures, of length 1 at every place.

  Args:
    weights: the network's.
    originals: `[H, W, C]` or, to be compared one by one, `[T, H, W, C]`, as
      `metrics.as_uint8` takes it; C is 3 for RGB, or 1 for grey.
    others: of the same shape.

  Returns:
    `[]` or `[T]`.

  Raises:
    ValueError: for other shapes, or pictures of fewer than 31 pixels on a side
      (16 for VGG16), of which the network would leave nothing.
  """
  first, second = metrics.as_uint8(originals), metrics.as_uint8(others)
  if first.shape != second.shape or first.ndim not in (3, 4):
    raise ValueError(
      f"LPIPS compares [H, W, C] or [T, H, W, C] of one shape, got "
      f"{first.shape} and {second.shape}."
    )
  if first.shape[-1] not in (1, 3):
    raise ValueError(f"LPIPS sees grey or RGB, got {first.shape[-1]} channels.")
  least = least_side(weights)
  if min(first.shape[-3:-1]) < least:
    raise ValueError(
      f"A picture is {first.shape[-3]} x {first.shape[-2]}; LPIPS with these "
      f"weights needs at least {least} pixels on each side."
    )
  # Pair by pair, so that a clip needs the memory of a frame.
  pairs = zip(
    first.reshape(-1, *first.shape[-3:]),
    second.reshape(-1, *second.shape[-3:]),
    strict=True,
  )
  found = [_distance(weights, np.stack(pair)) for pair in pairs]
  return np.asarray(found, np.float32).reshape(first.shape[:-3])


def least_side(weights: LpipsWeights) -> int:
  """Pixels on a side of the smallest picture that has an LPIPS."""
  return _LEAST_SIDES[len(weights.convs)]


def _distance(weights: LpipsWeights, pair: np.ndarray) -> Array:
  """LPIPS `[]` of a pair `[2, H, W, C]` uint8."""
  values = 2 * jnp.asarray(pair, jnp.float32) / metrics.PEAK - 1
  values = jnp.broadcast_to(values, (*values.shape[:-1], 3))
  shift, scale = (
    jnp.asarray(x, jnp.float32).reshape(1, 1, 1, 3) for x in (_SHIFT, _SCALE)
  )
  total = jnp.zeros(())
  layers = _features(weights, (values - shift) / scale)
  for features, lin in zip(layers, weights.lins, strict=True):
    length = jnp.sqrt(jnp.sum(features**2, axis=-1, keepdims=True))
    unit = features / (length + _EPSILON)
    total += jnp.mean(jnp.square(unit[0] - unit[1]) @ lin)
  return total


def _features(weights: LpipsWeights, x: Array) -> list[Array]:
  """The five layers `[2, h, w, out]` of pictures `[2, H, W, 3]`."""
  found = []
  network = _NETWORKS[len(weights.convs)]
  for conv, (kernel, bias) in zip(network, weights.convs, strict=True):
    if conv.pool:
      x = jax.lax.reduce_window(
        x,
        -jnp.inf,
        jax.lax.max,
        (1, conv.pool, conv.pool, 1),
        (1, _POOL_STRIDE, _POOL_STRIDE, 1),
        "VALID",
      )
    x = jax.lax.conv_general_dilated(
      x,
      kernel,
      (conv.stride, conv.stride),
      [(conv.padding, conv.padding)] * 2,
      dimension_numbers=("NHWC", "OIHW", "NHWC"),
      # Else an accelerator's shorter products show in the third digit.
      precision=jax.lax.Precision.HIGHEST,
    )
    x = jax.nn.relu(x + bias.reshape(1, 1, 1, -1))
    if conv.compared:
      found.append(x)
  return found


def _checked(arrays: Mapping[str, np.ndarray]) -> LpipsWeights:
  count = sum(name.startswith("conv") for name in arrays) // 2
  # Of a file without some array, the network that it has most of.
  count = min(_NETWORKS, key=lambda n: abs(n - count))
  convs: list[tuple[Array, Array]] = []
  lins: list[Array] = []
  channels = 3
  for index, conv in enumerate(_NETWORKS[count]):
    kernel = _array(
      arrays, f"conv{index}_w", (None, channels, conv.kernel, conv.kernel)
    )
    channels = kernel.shape[0]
    bias = _array(arrays, f"conv{index}_b", (channels,))
    convs.append((jnp.asarray(kernel), jnp.asarray(bias)))
    if conv.compared:
      lins.append(jnp.asarray(_array(arrays, f"lin{len(lins)}", (channels,))))
  known = 2 * len(convs) + len(lins)
  if len(arrays) != known:
    raise LpipsWeightsError(
      f"There are {len(arrays)} arrays, and {known} are expected: "
      f"{', '.join(sorted(arrays))}."
    )
  return LpipsWeights(tuple(convs), tuple(lins))


def _array(
  arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int | None, ...]
) -> np.ndarray:
  """An array of a shape, of any size where that is None, in float32."""
  if name not in arrays:
    raise LpipsWeightsError(f"There is no array {name}.")
  array = arrays[name]
  wanted = "x".join("any" if side is None else str(side) for side in shape)
  if array.ndim != len(shape) or any(
    side not in (None, found)
    for side, found in zip(shape, array.shape, strict=True)
  ):
    raise LpipsWeightsError(
      f"Array {name} is {array.shape}, and {wanted} is expected."
    )
  if (
    not np.issubdtype(array.dtype, np.floating) or not np.isfinite(array).all()
  ):
    raise LpipsWeightsError(f"Array {name} must hold finite floats.")
  return array.astype(np.float32)
