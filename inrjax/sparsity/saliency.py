"""How much each weight, or unit, matters: scores that rank what to prune.

Every saliency is a value of one signature,

  scores = saliency(key, loss_fn, params, batches, structure)

with `loss_fn(params, batch) -> []` for any parameters and any batch. A network
with batch norm closes over its state: in training mode the loss does not depend
on it. One that needs a random key finds it in its batch. `structure` makes the
same saliency one of weights or of units: SNIP of units is 3SP. Equations are
those of chapter 3 of Alizadeh's thesis.

Higher scores are kept; see `inrjax.sparsity.masks`. ProsPr is in
`inrjax.sparsity.prospr`, compute-aware 3SP in `inrjax.sparsity.compute_aware`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import chex
import jax
import jax.numpy as jnp

from inrjax.sparsity import batches as batches_lib
from inrjax.sparsity import structures
from inrjax.types import Array, PyTree

# (params, batch) -> loss [].
LossFn = Callable[[PyTree, Any], Array]


class Saliency(Protocol):
  """Scores of everything that a structure could remove."""

  @property
  def num_batches(self) -> int:
    """Batches that one call looks at."""
    ...

  def __call__(
    self,
    key: Array,
    loss_fn: LossFn,
    params: PyTree,
    batches: PyTree,
    structure: structures.Structure,
  ) -> structures.Masks:
    """Scores the parameters.

    Args:
      key: random key.
      loss_fn: `(params, batch) -> []`.
      params: any tree, at initialisation as a rule.
      batches: `num_batches` of them along the leading axis of every leaf;
        anything where that is 0.
      structure: what an entry removes.

    Returns:
      A score for each entry of the structure's masks.
    """
    ...


@dataclasses.dataclass(frozen=True)
class Random:
  """Uniform scores: every entry is as likely to be pruned as any other."""

  num_batches: int = dataclasses.field(default=0, init=False)

  def __call__(
    self,
    key: Array,
    loss_fn: LossFn,
    params: PyTree,
    batches: PyTree,
    structure: structures.Structure,
  ) -> structures.Masks:
    """Draws the scores from (0, 1]."""
    del loss_fn, batches
    masks = structure.init(params)
    keys = jax.random.split(key, len(masks))
    return {
      name: 1.0 - jax.random.uniform(k, mask.shape, mask.dtype)
      for k, (name, mask) in zip(keys, masks.items(), strict=True)
    }


@dataclasses.dataclass(frozen=True)
class Magnitude:
  """|w| of a weight; of a unit, the Euclidean norm of all that goes with it."""

  num_batches: int = dataclasses.field(default=0, init=False)

  def __call__(
    self,
    key: Array,
    loss_fn: LossFn,
    params: PyTree,
    batches: PyTree,
    structure: structures.Structure,
  ) -> structures.Masks:
    """Norms of the parameters that each entry multiplies."""
    del key, loss_fn, batches
    squares = pull_to_masks(structure, params, params)
    # A parameter that is not masked has no part in the sum.
    return jax.tree.map(jnp.sqrt, squares)


@dataclasses.dataclass(frozen=True)
class SNIP:
  """Sensitivity of the loss to each entry of the mask, eqs. 3.1 and 3.2.

  With a structure of units this is 3SP (3.2.1).
  """

  num_batches: int = dataclasses.field(default=1, init=False)

  def __call__(
    self,
    key: Array,
    loss_fn: LossFn,
    params: PyTree,
    batches: PyTree,
    structure: structures.Structure,
  ) -> structures.Masks:
    """|dL/dc| at c = 1, divided by its sum."""
    del key
    batch = batches_lib.only(batches)
    gradient = mask_gradient(loss_fn, params, batch, structure)
    return normalised(gradient(structure.init(params)))


@dataclasses.dataclass(frozen=True)
class GraSP:
  """What pruning an entry takes from the squared norm of the gradient.

  Wang et al. (2020), "Picking winning tickets before training by preserving
  gradient flow": removing a weight w changes half of |g|^2 by -w (H g), so the
  score is w (H g), signed, with g and H over all parameters; that of a unit is
  the sum over its weights. Their smoothing of the outputs is part of the loss:
  divide the logits by a temperature of 200 in `loss_fn`.

  Differs from the paper: biases and norms are part of the gradient's norm.
  """

  num_batches: int = dataclasses.field(default=1, init=False)

  def __call__(
    self,
    key: Array,
    loss_fn: LossFn,
    params: PyTree,
    batches: PyTree,
    structure: structures.Structure,
  ) -> structures.Masks:
    """w (H g), summed over what each entry multiplies; has a sign."""
    del key
    batch = batches_lib.only(batches)
    gradient = jax.grad(lambda p: loss_fn(p, batch))
    grads = gradient(params)
    _, flow = jax.jvp(gradient, (params,), (grads,))
    return pull_to_masks(structure, params, flow)


@dataclasses.dataclass(frozen=True)
class MaskGraSP:
  """GraSP on the gradient with respect to the mask, its form for units (3.4.1).

  With h the gradient with respect to the mask's entries and K the Hessian,
  removing an entry changes half of |h|^2 by -(K h): the score is K h, signed.
  """

  num_batches: int = dataclasses.field(default=1, init=False)

  def __call__(
    self,
    key: Array,
    loss_fn: LossFn,
    params: PyTree,
    batches: PyTree,
    structure: structures.Structure,
  ) -> structures.Masks:
    """K h, one number for each entry; has a sign."""
    del key
    batch = batches_lib.only(batches)
    gradient = mask_gradient(loss_fn, params, batch, structure)
    masks = structure.init(params)
    _, scores = jax.jvp(gradient, (masks,), (gradient(masks),))
    return scores


@dataclasses.dataclass(frozen=True)
class Averaged:
  """Mean of a saliency's scores over batches, one repetition after the other.

  Attributes:
    saliency: what is averaged.
    repeats: how often, each time with fresh batches and a fresh key.
  """

  saliency: Saliency
  repeats: int

  def __post_init__(self) -> None:
    if self.repeats < 1:
      raise ValueError(f"repeats must be at least 1, got {self.repeats}.")

  @property
  def num_batches(self) -> int:
    """Batches of all repetitions."""
    return self.repeats * self.saliency.num_batches

  def __call__(
    self,
    key: Array,
    loss_fn: LossFn,
    params: PyTree,
    batches: PyTree,
    structure: structures.Structure,
  ) -> structures.Masks:
    """Scores of the saliency, averaged."""
    each = self.saliency.num_batches
    if each:
      batches_lib.check_num(batches, self.num_batches)
      batches = jax.tree.map(
        lambda x: x.reshape(self.repeats, each, *x.shape[1:]), batches
      )
    else:
      batches = ()

    def add(total: PyTree, xs: tuple[Array, PyTree]) -> tuple[PyTree, None]:
      repeat_key, some = xs
      scores = self.saliency(repeat_key, loss_fn, params, some, structure)
      return jax.tree.map(jnp.add, total, scores), None

    start = jax.tree.map(jnp.zeros_like, structure.init(params))
    keys = jax.random.split(key, self.repeats)
    total, _ = jax.lax.scan(add, start, (keys, batches))
    return jax.tree.map(lambda x: x / self.repeats, total)


def mask_gradient(
  loss_fn: LossFn,
  params: PyTree,
  batch: PyTree,
  structure: structures.Structure,
) -> Callable[[structures.Masks], structures.Masks]:
  """c -> dL(c * w) / dc: eq. 3.2."""

  def masked_loss(masks: structures.Masks) -> Array:
    loss = loss_fn(structures.apply_masks(structure, masks, params), batch)
    chex.assert_rank(loss, 0)
    return loss

  return jax.grad(masked_loss)


def pull_to_masks(
  structure: structures.Structure, params: PyTree, cotangent: PyTree
) -> structures.Masks:
  """v^T d(c * w)/dc: v w, summed over what each entry multiplies.

  Args:
    structure: the structure.
    params: w.
    cotangent: v, a tree like the parameters.

  Returns:
    One number for each entry of the masks.
  """
  _, pull = jax.vjp(
    lambda masks: structures.apply_masks(structure, masks, params),
    structure.init(params),
  )
  return pull(cotangent)[0]


def normalised(grads: structures.Masks) -> structures.Masks:
  """|g_j| / sum_k |g_k|: eqs. 3.1 and 3.14; all 0 where every g is 0."""
  sizes = jax.tree.map(jnp.abs, grads)
  total = sum(jnp.sum(size) for size in jax.tree.leaves(sizes))
  # All zero stays so; `masks` refuses it.
  safe = jnp.where(total == 0, jnp.ones_like(total), total)
  return jax.tree.map(lambda size: size / safe, sizes)
