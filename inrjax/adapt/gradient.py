"""The gradient that an inner loop takes, differentiable in two ways.

Differentiating through `jax.grad` by reverse mode keeps the linearised backward
pass of every inner step. The mixed-mode gradient has its own backward pass: the
cotangent v of `grad_fast loss` is pulled back through one forward-over-reverse
pass, since the Hessian is symmetric,

  v^T d(grad_fast loss)/d(shared, fast) = d/de grad_(shared, fast) loss
                                          at fast + e v,  e = 0,

so that no activation of an inner step outlives it (Kemaev et al., 2025).
"""

from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp

from inrjax.types import Array, Context, PyTree


class LossFn(Protocol):
  """The scalar loss of one signal."""

  def __call__(self, shared: PyTree, fast: PyTree, context: Context) -> Array:
    """Loss `[]` of the parameters on the context."""
    ...


# (shared, fast, context) -> (loss [], gradient like fast). The loss is there to
# be looked at: the outer gradient takes it for a constant, which spares the
# backward pass of every step a gradient of its own.
GradientFn = Callable[[PyTree, PyTree, Context], tuple[Array, PyTree]]


def reverse(loss_fn: LossFn) -> GradientFn:
  """Plain `jax.value_and_grad`: reverse over reverse, the reference."""
  value_and_grad = jax.value_and_grad(loss_fn, argnums=1)

  def gradient(
    shared: PyTree, fast: PyTree, context: Context
  ) -> tuple[Array, PyTree]:
    loss, grads = value_and_grad(shared, fast, context)
    return jax.lax.stop_gradient(loss), grads

  return gradient


def mixed_mode(loss_fn: LossFn, *, prevent_cse: bool = False) -> GradientFn:
  """A drop-in replacement for `reverse` whose backward pass stores nothing.

  All leaves of the three arguments must be floating point; each is
  differentiated.

  Args:
    loss_fn: scalar loss of one signal.
    prevent_cse: keeps the compiler from storing after all what it would
      otherwise compute twice. Needed where steps are unrolled; inside a scan
      the forward pass is out of its sight.

  Returns:
    `(shared, fast, context) -> (loss, gradient with respect to fast)`.
  """
  value_and_grad = jax.value_and_grad(loss_fn, argnums=1)

  @jax.custom_vjp
  def gradient(
    shared: PyTree, fast: PyTree, context: Context
  ) -> tuple[Array, PyTree]:
    return value_and_grad(shared, fast, context)

  def forward(shared, fast, context):  # type: ignore[no-untyped-def]
    return value_and_grad(shared, fast, context), (shared, fast, context)

  def backward(residuals, cotangents):  # type: ignore[no-untyped-def]
    shared, fast, context = residuals
    _, v = cotangents
    if prevent_cse:
      # The same numbers, and no compiler may say so: v could be infinite. Its
      # barriers against this are gone before XLA looks for them on a CPU.
      fast = jax.tree.map(lambda f, tangent: f + 0 * tangent, fast, v)
    all_gradients = jax.grad(loss_fn, argnums=(0, 1, 2))
    _, pulled_back = jax.jvp(
      lambda f: all_gradients(shared, f, context), (fast,), (v,)
    )
    return pulled_back

  gradient.defvjp(forward, backward)
  return gradient


def first_order(loss_fn: LossFn) -> GradientFn:
  """A gradient that the outer gradient takes for a constant (FOMAML)."""
  value_and_grad = jax.value_and_grad(loss_fn, argnums=1)

  def gradient(
    shared: PyTree, fast: PyTree, context: Context
  ) -> tuple[Array, PyTree]:
    return jax.lax.stop_gradient(value_and_grad(shared, fast, context))

  return gradient


def squared_error(prediction: Array, values: Array) -> Array:
  """Mean squared error over points and channels: MSCN eq. 1 over N C.

  Args:
    prediction: `[N, C]`.
    values: `[N, C]`.

  Returns:
    `[]` mean squared error.
  """
  return jnp.mean(jnp.square(prediction - values))
