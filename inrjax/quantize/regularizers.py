"""Losses that make a network robust to quantisation at any width.

Rounding adds to every weight and activation a perturbation of at most half a
bin. To first order it changes the loss by at most that much times the L1 norm
of the gradient (eqs. 4.1 and 4.2 of Alizadeh's thesis), so the norm is added to
the loss (eq. 4.3), over weights and activations alike.

The norm's derivative is one Hessian-vector product: with g the gradient,

  d|g|_1 / dw = H sign(g)

since sign(g) is constant almost everywhere, and forward over reverse gives it
for the price of about two more gradients, weights and activations together.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import chex
import jax
import jax.numpy as jnp

from inrjax.quantize import taps
from inrjax.sparsity import structures
from inrjax.types import Array, PyTree

Select = Callable[[str, Array], bool]


class TappedLoss(Protocol):
  """A loss of a network with taps on its activations."""

  def __call__(
    self, tap: taps.Tap, params: PyTree, batch: Any
  ) -> tuple[Array, Any]:
    """`(loss [], aux)`; aux is anything, such as the state of batch norm."""
    ...


class Norm(Protocol):
  """A norm of a tree, with the direction in which it grows."""

  def __call__(self, grads: PyTree) -> tuple[Array, PyTree]:
    """`(|g| [], d|g|/dg like g)`."""
    ...


class Penalized(NamedTuple):
  """The parts of a penalised loss, for looking at: constants to a gradient.

  Attributes:
    loss: `[]` the loss itself.
    weights: `[]` norm of the gradient with respect to the weights.
    activations: `[]` that with respect to the activations.
    aux: what the loss returned beside its value.
  """

  loss: Array
  weights: Array
  activations: Array
  aux: Any


# (params, batch) -> (total loss [], parts).
PenalizedLoss = Callable[[PyTree, Any], tuple[Array, Penalized]]


def l1(grads: PyTree) -> tuple[Array, PyTree]:
  """Sum of magnitudes, and the signs: the dual of bounded rounding errors."""
  return _sum(jnp.abs, grads), jax.tree.map(jnp.sign, grads)


def l2(grads: PyTree) -> tuple[Array, PyTree]:
  """Euclidean norm of the whole tree, and g / |g|; 0 at 0 (4.2.3)."""
  norm = jnp.sqrt(_sum(jnp.square, grads))
  # A gradient of 0 has no direction.
  inverse = jnp.where(norm > 0, 1 / jnp.where(norm > 0, norm, 1), 0)
  return norm, jax.tree.map(lambda g: (g * inverse).astype(g.dtype), grads)


def gradient_penalty(
  loss_fn: TappedLoss,
  *,
  weights_weight: float,
  activations_weight: float,
  norm: Norm = l1,
  select: Select = structures.is_weight,
) -> PenalizedLoss:
  """L + lambda_w |dL/dw| + lambda_y |dL/dy|: eq. 4.3.

  The value is exact; its derivative with respect to the parameters is computed
  together with it, as the gradient of the loss plus one Hessian-vector product.
  The parts that come beside it have no derivative, nor has the batch, and the
  result cannot be differentiated twice.

  Activations are the values that the loss taps; of a loss that is a mean over a
  batch, every example counts.

  Args:
    loss_fn: `(tap, params, batch) -> (loss [], aux)`. Everything traced must
      come through its arguments if a derivative is taken around a `jax.lax`
      loop; inside one, it may close over anything.
    weights_weight: lambda_w, at least 0.
    activations_weight: lambda_y, at least 0. The thesis takes one value for
      both, the largest that leaves the unquantised accuracy alone.
    norm: `l1` or `l2`.
    select: `(name, leaf) -> bool`, the parameters that will be quantised.

  Returns:
    `(params, batch) -> (total [], Penalized)`.

  Raises:
    ValueError: for a weight that is negative or not finite, or, when called,
      if there is nothing to take a norm of.
  """
  for name, value in (
    ("weights_weight", weights_weight),
    ("activations_weight", activations_weight),
  ):
    if not 0 <= value < float("inf"):
      raise ValueError(f"{name} must be at least 0 and finite, got {value}.")

  def perturbed(
    params: PyTree, perturbations: dict[str, Array], batch: Any
  ) -> tuple[Array, Any]:
    loss, aux = loss_fn(taps.adding(perturbations), params, batch)
    chex.assert_rank(loss, 0)
    return loss, aux

  def gradients(
    params: PyTree, zeros: dict[str, Array], batch: Any
  ) -> tuple[tuple[PyTree, PyTree], tuple[Array, Any]]:
    value, grads = jax.value_and_grad(perturbed, argnums=(0, 1), has_aux=True)(
      params, zeros, batch
    )
    return grads, value

  def total_of(
    grads: tuple[PyTree, PyTree], value: tuple[Array, Any]
  ) -> tuple[tuple[Array, Penalized], tuple[PyTree, PyTree]]:
    (of_params, back), (loss, aux) = grads, value
    chosen = structures.map_named(
      lambda name, g: g if select(name, g) else jnp.zeros_like(g), of_params
    )
    of_weights, weights_direction = norm(chosen)
    of_activations, activations_direction = norm(back)
    total = (
      loss + weights_weight * of_weights + activations_weight * of_activations
    )
    direction = (
      _scaled(weights_direction, weights_weight),
      _scaled(activations_direction, activations_weight),
    )
    parts = Penalized(loss, of_weights, of_activations, aux)
    return (total, parts), direction

  @jax.custom_vjp
  def penalized(params: PyTree, batch: Any) -> tuple[Array, Penalized]:
    zeros = _perturbations(loss_fn, params, batch, activations_weight)
    return total_of(*gradients(params, zeros, batch))[0]

  def forward(params: PyTree, batch: Any) -> Any:
    zeros = _perturbations(loss_fn, params, batch, activations_weight)
    # Linearised, the gradient is computed once for its sign and for the
    # product; `jax.jvp` after it would leave finding that to the compiler,
    # which does not: a fourth of the backward pass was done twice.
    grads, product, value = jax.linearize(
      lambda p, y: gradients(p, y, batch), params, zeros, has_aux=True
    )
    result, direction = total_of(grads, value)
    # Here and not in the backward pass: two trees like the parameters are all
    # that has to be kept.
    curved, _ = product(*direction)
    return result, jax.tree.map(jnp.add, grads[0], curved)

  def backward(derivative: PyTree, cotangents: Any) -> tuple[PyTree, None]:
    of_total, _ = cotangents
    return _scaled(derivative, of_total), None

  penalized.defvjp(forward, backward)
  return penalized


def without_taps(
  loss_fn: Callable[[PyTree, Any], tuple[Array, Any]],
) -> TappedLoss:
  """A loss that taps nothing, for a penalty on the weights alone.

  Args:
    loss_fn: `(params, batch) -> (loss [], aux)`.
  """

  def tapped(tap: taps.Tap, params: PyTree, batch: Any) -> tuple[Array, Any]:
    del tap
    return loss_fn(params, batch)

  return tapped


def defensive(
  params: PyTree, *, select: Select = structures.is_weight
) -> Array:
  """Sum over weights of |W^T W - I|^2 (Lin et al., 2019; B.3).

  W is the weight as a matrix, its last axis the columns, or its transpose if
  that is narrower: the sum of (sigma^2 - 1)^2 over its singular values.

  Args:
    params: parameters.
    select: `(name, leaf) -> bool`, which of them are weights.

  Returns:
    `[]` penalty, at least 0; differentiable.

  Raises:
    ValueError: if nothing is selected.
  """
  total = jnp.zeros(())
  for matrix in _matrices(params, select):
    gram = matrix.T @ matrix
    total = total + jnp.sum(
      jnp.square(gram - jnp.eye(gram.shape[0], dtype=gram.dtype))
    )
  return total


def defensive_trace(
  params: PyTree, *, select: Select = structures.is_weight
) -> Array:
  """Sum over weights of Tr(W^T W - I), the softer form of B.3.

  The sum of sigma^2 - 1 over the singular values. It has no lower bound of 0,
  and its gradient is that of weight decay.

  Args:
    params: parameters.
    select: `(name, leaf) -> bool`, which of them are weights.

  Returns:
    `[]`; differentiable.

  Raises:
    ValueError: if nothing is selected.
  """
  total = jnp.zeros(())
  for matrix in _matrices(params, select):
    total = total + jnp.sum(jnp.square(matrix)) - matrix.shape[1]
  return total


def _perturbations(
  loss_fn: TappedLoss, params: PyTree, batch: Any, weight: float
) -> dict[str, Array]:
  """Zeros for each activation; none if the activations do not count."""
  found = taps.shapes(loss_fn, params, batch)
  if weight > 0 and not found:
    raise ValueError(
      f"activations_weight is {weight}, but the loss taps no activation: call"
      " tap in the network, or wrap its apply in `taps.tap_products`."
    )
  return {name: jnp.zeros(s.shape, s.dtype) for name, s in found.items()}


def _matrices(params: PyTree, select: Select) -> list[Array]:
  """The selected weights as matrices that are at least as high as wide."""
  leaves = structures.named_leaves(params)
  matrices = [
    leaf.reshape(-1, leaf.shape[-1])
    for name, leaf in leaves.items()
    if select(name, leaf)
  ]
  if not matrices:
    raise ValueError(f"None of the parameters {list(leaves)} is a weight.")
  return [m if m.shape[0] >= m.shape[1] else m.T for m in matrices]


def _sum(fn: Callable[[Array], Array], tree: PyTree) -> Array:
  return sum(
    (jnp.sum(fn(leaf)) for leaf in jax.tree.leaves(tree)), start=jnp.zeros(())
  )


def _scaled(tree: PyTree, factor: Any) -> PyTree:
  return jax.tree.map(lambda leaf: (leaf * factor).astype(leaf.dtype), tree)
