"""A convolution whose gradient is as fast inside a loop as outside of one.

On a CPU, XLA brings the convolutions of a program's outermost computation into
the one form it has fast code for (batch first, channels last), and leaves those
inside of loops as they are. The ones that JAX derives for gradients have other
forms, and take more than ten times as long in the `lax.scan` of an inner loop.
Here gradients are written in that form.
"""

import functools

import jax
import jax.numpy as jnp

from inrjax.types import Array

_LAYOUT = ("NHWC", "HWIO", "NHWC")


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(x: Array, w: Array, stride: int = 1) -> Array:
  """A convolution with an odd square kernel, zeros outside.

  The gradient is differentiable again, in either mode; the convolution itself
  has no derivative in forward mode.

  Args:
    x: `[B, H, W, I]`.
    w: `[K, K, I, O]`.
    stride: 1 or 2, by which the sides of `x` can be divided.

  Returns:
    `[B, H / stride, W / stride, O]`.

  Raises:
    ValueError: for another kernel, stride, rank or size.
  """
  if x.ndim != 4:
    raise ValueError(f"The input must be [B, H, W, I], got {x.shape}.")
  kernel = w.shape[0] if w.ndim == 4 else 0
  if w.ndim != 4 or w.shape[1] != kernel or not kernel % 2:
    raise ValueError(
      f"The kernel must be [K, K, I, O] with an odd K, got {w.shape}."
    )
  if stride not in (1, 2) or x.shape[1] % stride or x.shape[2] % stride:
    raise ValueError(
      f"The stride must be 1 or 2 and divide {x.shape[1]} and {x.shape[2]}, "
      f"the sides of x, got {stride}."
    )
  return _forward(x, w, stride)[0]


def phases_to_space(phases: Array) -> Array:
  """Puts the four phases of every place next to each other.

  Args:
    phases: `[B, h, w, 4 C]`, in the order (row, column, channel).

  Returns:
    `[B, 2 h, 2 w, C]`.
  """
  batch, height, width, channels = phases.shape
  apart = phases.reshape(batch, height, width, 2, 2, channels // 4)
  return apart.transpose(0, 1, 3, 2, 4, 5).reshape(
    batch, 2 * height, 2 * width, channels // 4
  )


def _forward(
  x: Array, w: Array, stride: int
) -> tuple[Array, tuple[Array, Array]]:
  reach = w.shape[0] // 2
  return _conv(x, w, reach, reach, stride=stride), (x, w)


def _backward(
  stride: int, residuals: tuple[Array, Array], of_y: Array
) -> tuple[Array, Array]:
  x, w = residuals
  reach = w.shape[0] // 2
  flipped = w[::-1, ::-1].transpose(0, 1, 3, 2)
  if stride == 1:
    of_x = _conv(of_y, flipped, reach, reach)
  else:
    of_x = _to_phases(of_y, flipped)
  # Every tap is an output here: examples are summed over as channels are in
  # ordinary convolutions, and channels take the place of examples.
  of_w = _conv(
    x.transpose(3, 1, 2, 0),
    of_y.transpose(1, 2, 0, 3),
    reach,
    reach - (stride - 1),
    dilation=stride,
  )
  return of_x, of_w.transpose(1, 2, 0, 3)


def _to_phases(of_y: Array, flipped: Array) -> Array:
  """The transposed convolution of stride 2, onto the phases of its output.

  Of x[2 i + p] the sum over taps j of `flipped[j] of_y[i + (p + j - r) / 2]`,
  where that is an integer and r is the kernel's reach.
  """
  kernel, _, outputs, inputs = flipped.shape
  reach = kernel // 2
  # From each of `before` to `after` places away, a pair of taps.
  before = reach // 2
  front = 2 * before + 1 - reach
  num_places = -(-(front + kernel) // 2)
  pad = (front, 2 * num_places - front - kernel)
  paired = jnp.pad(flipped, (pad, pad, (0, 0), (0, 0)))
  paired = paired.reshape(num_places, 2, num_places, 2, outputs, inputs)
  # Of each pair of taps the second belongs to phase 0.
  paired = paired[:, ::-1, :, ::-1].transpose(0, 2, 4, 1, 3, 5)
  kernels = paired.reshape(num_places, num_places, outputs, 4 * inputs)
  after = num_places - 1 - before
  return phases_to_space(_conv(of_y, kernels, before, after))


def _conv(
  x: Array,
  w: Array,
  before: int,
  after: int,
  *,
  stride: int = 1,
  dilation: int = 1,
) -> Array:
  """With zeros before and after both sides of `x`."""
  return jax.lax.conv_general_dilated(
    x,
    w,
    window_strides=(stride, stride),
    padding=((before, after), (before, after)),
    rhs_dilation=(dilation, dilation),
    dimension_numbers=_LAYOUT,
  )


convolve.defvjp(_forward, _backward)
