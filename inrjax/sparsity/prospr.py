"""ProsPr: saliency that looks at the loss after some steps of training.

Prospect pruning (section 3.3 of Alizadeh's thesis) differentiates the loss
after M steps of training, each on a fresh batch, with respect to the mask of
the initial weights (eqs. 3.6 to 3.15). The mask is at one, so nothing changes
forwards; backwards, the gradient goes through every step.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from inrjax.adapt import gradient as gradient_lib
from inrjax.sparsity import batches as batches_lib
from inrjax.sparsity import saliency, structures
from inrjax.types import Array, PyTree

# On a CPU, XLA runs convolutions inside a loop more than ten times slower.
_UNROLLED_STEPS = 4


@dataclasses.dataclass(frozen=True)
class ProsPr:
  """Sensitivity of the loss after `num_steps` updates, eqs. 3.14 and 3.15.

  With no steps it is SNIP. Memory holds the parameters and the optimiser's
  state of every step, but the activations of one step only (`mixed_mode`).

  Attributes:
    optimizer: what trains in the inner steps, differentiable: momentum SGD in
      the experiments. Adam needs an `eps_root` above 0, without which the
      derivative of its square root is infinite where a gradient is zero.
    num_steps: M, at least 0; 3 in the experiments.
    gradient: how the inner gradient is differentiated; `gradient.reverse` is
      the reference.
  """

  optimizer: optax.GradientTransformation
  num_steps: int = 3
  gradient: Callable[[gradient_lib.LossFn], gradient_lib.GradientFn] = (
    functools.partial(gradient_lib.mixed_mode, prevent_cse=True)
  )

  def __post_init__(self) -> None:
    _check_num_steps(self.num_steps)

  @property
  def num_batches(self) -> int:
    """One for each step, and one for the loss after them."""
    return self.num_steps + 1

  def __call__(
    self,
    key: Array,
    loss_fn: saliency.LossFn,
    params: PyTree,
    batches: PyTree,
    structure: structures.Structure,
  ) -> structures.Masks:
    """|dL(w_M)/dc| at c = 1, divided by its sum."""
    del key
    batches_lib.check_num(batches, self.num_batches)

    def loss_after(masks: structures.Masks) -> Array:
      start = structures.apply_masks(structure, masks, params)
      trained = start
      if self.num_steps:
        trained = self._train(loss_fn, start, batches)
      loss = loss_fn(trained, jax.tree.map(lambda leaf: leaf[-1], batches))
      chex.assert_rank(loss, 0)
      return loss

    return saliency.normalised(jax.grad(loss_after)(structure.init(params)))

  def _train(
    self, loss_fn: saliency.LossFn, start: PyTree, batches: PyTree
  ) -> PyTree:
    def gradient(weights: PyTree, batch: PyTree) -> PyTree:
      floats, restore = batches_lib.as_floating(batch)
      loss_and_grad = self.gradient(
        lambda shared, fast, context: loss_fn(fast, restore(context))
      )
      return loss_and_grad((), weights, floats)[1]

    return _train(gradient, self.optimizer, start, batches, self.num_steps)


@dataclasses.dataclass(frozen=True)
class FirstOrderProsPr:
  """First-order ProsPr, eq. 3.20: the gradient after the steps times w_init.

  Memory does not grow with the number of steps, of which there may be hundreds
  (256 and 1024 in table 3.3). Batches that do not fit in memory together: train
  with any loop for M steps and call `trained_saliency`.

  Attributes:
    optimizer: what trains in the inner steps; need not be differentiable.
    num_steps: M, at least 0.
  """

  optimizer: optax.GradientTransformation
  num_steps: int

  def __post_init__(self) -> None:
    _check_num_steps(self.num_steps)

  @property
  def num_batches(self) -> int:
    """One for each step, and one for the gradient after them."""
    return self.num_steps + 1

  def __call__(
    self,
    key: Array,
    loss_fn: saliency.LossFn,
    params: PyTree,
    batches: PyTree,
    structure: structures.Structure,
  ) -> structures.Masks:
    """|dL/dw (w_M) w_init|, divided by its sum."""
    del key
    batches_lib.check_num(batches, self.num_batches)
    trained = _train(
      jax.grad(loss_fn),
      self.optimizer,
      params,
      batches,
      self.num_steps,
    )
    last = jax.tree.map(lambda leaf: leaf[-1], batches)
    return trained_saliency(loss_fn, params, trained, last, structure)


def trained_saliency(
  loss_fn: saliency.LossFn,
  initial: PyTree,
  trained: PyTree,
  batch: PyTree,
  structure: structures.Structure,
) -> structures.Masks:
  """Eq. 3.20 for weights that were trained anywhere.

  Args:
    loss_fn: `(params, batch) -> []`.
    initial: w_init, the weights that will be pruned.
    trained: w_M, what they became.
    batch: the batch of the final loss.
    structure: what an entry removes.

  Returns:
    A score for each entry of the structure's masks; they sum to 1.
  """
  grads = jax.grad(loss_fn)(trained, batch)
  return saliency.normalised(saliency.pull_to_masks(structure, initial, grads))


def _train(
  gradient: Callable[[PyTree, Any], PyTree],
  optimizer: optax.GradientTransformation,
  start: PyTree,
  batches: PyTree,
  num_steps: int,
) -> PyTree:
  """w_{m+1} = w_m + optimizer(gradient(w_m, batch_m)): eqs. 3.7 and 3.8."""

  def step(carry: tuple[PyTree, PyTree], m: Array) -> tuple[Any, None]:
    weights, state = carry
    # Not all but the last as the loop's input: that would copy them.
    batch = jax.tree.map(
      lambda leaf: jax.lax.dynamic_index_in_dim(leaf, m, keepdims=False),
      batches,
    )
    updates, state = optimizer.update(gradient(weights, batch), state, weights)
    return (optax.apply_updates(weights, updates), state), None

  first = (start, optimizer.init(start))
  (trained, _), _ = jax.lax.scan(
    step, first, jnp.arange(num_steps), unroll=num_steps <= _UNROLLED_STEPS
  )
  return trained


def _check_num_steps(num_steps: int) -> None:
  if num_steps < 0:
    raise ValueError(f"num_steps must be at least 0, got {num_steps}.")
