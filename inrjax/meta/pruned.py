"""Pruning, in training and while a signal is fitted.

Meta-SparseINR (Lee et al., 2021, algorithm 1) alternates meta-learning with
pruning. Pruning is here a part of the outer optimiser, which moves the mask
when its schedule says so: the loop, its checkpoints and its resumption stay as
they are.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import tiles
from inrjax.meta import method as method_lib
from inrjax.sparsity import pruning, structures
from inrjax.sparsity import saliency as saliency_lib
from inrjax.types import Adapted, Array, Context, PyTree

PRUNED_ROLES = ("weight",)


class PrunedFit(NamedTuple):
  """A signal fitted in parts, with pruning between them.

  Attributes:
    adapted: the last part's, with the losses of all parts,
      `[rounds + 1, S + 1]`.
    mask: the signal's own, of the last part.
    parts: the fast parameters that each part ended with, `[rounds + 1, ..]`.
  """

  adapted: Adapted
  mask: PyTree
  parts: PyTree


class PruningState(NamedTuple):
  """State of `with_pruning`.

  Attributes:
    steps_done: `[]` int32, outer steps.
    inner: state of the optimiser.
  """

  steps_done: Array
  inner: optax.OptState


def with_pruning(
  optimizer: optax.GradientTransformation,
  method: method_lib.Method,
  schedule: pruning.Schedule,
  *,
  score: pruning.Score = pruning.magnitude,
  pruned_roles: tuple[str, ...] = PRUNED_ROLES,
  key: Array,
) -> optax.GradientTransformation:
  """An outer optimiser that prunes when its schedule says so.

  A round begins with the step after the last of the training before it, so the
  parameters at step `schedule.steps[i]` are those of i rounds, retrained. What
  is pruned is exactly zero from then on, whatever the optimiser's moments say.

  Args:
    optimizer: of `Outer`.
    method: a method with `init_mask=full_mask` and a learned start.
    schedule: when, and how much.
    score: what is kept (`pruning.magnitude`, `pruning.chance`).
    pruned_roles: what is pruned: weights, as in the paper's code, biases, or
      both.
    key: for scores by chance.

  Raises:
    ValueError: for a method without a mask, roles it does not adapt, or a
      schedule that would empty the network.
  """
  roles = method.partition.roles
  template = jax.eval_shape(method.init, jax.random.key(0))
  if not template.mask or not template.fast:
    raise ValueError(
      "Pruning needs a mask and a learned start: init_mask=full_mask and "
      "start=learned_start."
    )
  chosen = [
    (leaf, 2 if roles[module][name] == "weight" else 1)
    for module, leaves in template.mask.items()
    for name, leaf in leaves.items()
    if roles[module][name] in pruned_roles
  ]
  sizes = [leaf.size for leaf, _ in chosen]
  # Leading axes are those of a stack of layers.
  num_layers = sum(
    math.prod(leaf.shape[: leaf.ndim - axes]) for leaf, axes in chosen
  )
  if not sizes:
    raise ValueError(f"No fast parameter has a role of {pruned_roles}.")
  kept = schedule.num_kept(sum(sizes), num_layers)
  steps = jnp.asarray(schedule.steps, jnp.int32)
  counts = jnp.asarray(kept, jnp.int32)

  def init(params: method_lib.Outer) -> PruningState:
    return PruningState(jnp.zeros((), jnp.int32), optimizer.init(params))

  def prune(count: Array, params: method_lib.Outer) -> PyTree:
    index = jnp.argmax(steps == count)
    return pruning.keep_largest(
      params.mask,
      score(jax.random.fold_in(key, index), params.fast),
      counts[index],
      roles=roles,
      pruned_roles=pruned_roles,
    )

  def update(
    grads: method_lib.Outer,
    state: PruningState,
    params: method_lib.Outer | None = None,
  ) -> tuple[method_lib.Outer, PruningState]:
    if params is None:
      raise ValueError("Pruning needs the parameters: update(.., params).")
    updates, inner = optimizer.update(grads, state.inner, params)
    mask = params.mask
    if kept:
      mask = jax.lax.cond(
        jnp.any(steps == state.steps_done),
        prune,
        lambda count, params: params.mask,
        state.steps_done,
        params,
      )
    fast = jax.tree.map(
      lambda m, update, old: jnp.where(m == 0, -old, update),
      mask,
      updates.fast,
      params.fast,
    )
    moved = jax.tree.map(jnp.subtract, mask, params.mask)
    return updates._replace(fast=fast, mask=moved), PruningState(
      state.steps_done + 1, inner
    )

  return optax.GradientTransformation(init, update)


def go_on(start: PyTree, adapted: PyTree) -> PyTree:
  """Fitting goes on from where the round ended (MAML+IMP)."""
  del start
  return adapted


def rewind(start: PyTree, adapted: PyTree) -> PyTree:
  """Fitting begins anew (winning tickets, Frankle & Carbin)."""
  del adapted
  return start


def fit_pruned(
  method: method_lib.Method,
  key: Array,
  outer: method_lib.Outer,
  context: Context,
  *,
  num_kept: tuple[int, ...],
  pruned_roles: tuple[str, ...] = PRUNED_ROLES,
  after_round: Callable[[PyTree, PyTree], PyTree] = go_on,
  at_start: saliency_lib.Saliency | None = None,
) -> PrunedFit:
  """Fits one signal, pruning by magnitude between rounds of fitting.

  With one round it is MAML+OneShot, with t rounds MAML+IMP (section 5.1 of
  Meta-SparseINR), with `rewind` the search for a winning ticket (5.3). The
  optimiser's moments begin anew with each round.

  Args:
    method: its link and `num_steps` are those of each of the rounds + 1 parts.
    key: for the selection of points.
    outer: what meta-learning gave; a mask of ones where it has none.
    context: the signal.
    num_kept: parameters of the pruned roles left after each round.
    pruned_roles: what is pruned.
    after_round: `(start, adapted) -> state` where the next part begins.
    at_start: prunes before fitting, by this saliency of the start (SNIP, ProsPr
      and others): one number to keep, and one part.

  Raises:
    ValueError: for numbers that do not fall, or leave nothing.
  """
  falling = sorted(set(num_kept), reverse=True) == list(num_kept)
  if not falling or min(num_kept, default=1) < 1:
    raise ValueError(f"num_kept must fall and stay positive, got {num_kept}.")
  fast = method.initial_fast(outer, context)
  full = outer.mask or method_lib.full_mask(fast)
  start = {"fast": fast}

  def part(key: Array, state: PyTree, mask: PyTree) -> Adapted:
    return method.adapt(
      key, outer._replace(mask=mask), {}, context, start=state
    )

  def round_(carry: tuple[PyTree, PyTree], step: tuple[Array, Array]):  # type: ignore[no-untyped-def]
    state, mask = carry
    key, kept = step
    adapted = part(key, state, mask)
    mask = pruning.keep_largest(
      mask,
      pruning.magnitude(key, adapted.state["fast"]),
      kept,
      roles=method.partition.roles,
      pruned_roles=pruned_roles,
    )
    found = adapted.fast, adapted.losses
    return (after_round(start, adapted.state), mask), found

  *keys, last_key = jax.random.split(key, len(num_kept) + 1)
  if at_start is not None:
    if len(num_kept) != 1:
      raise ValueError(
        f"Pruning at the start takes one number to keep, got {num_kept}."
      )
    (kept,) = num_kept
    full = mask_at_start(
      method,
      keys[0],
      outer,
      context,
      saliency=at_start,
      num_kept=kept,
      pruned_roles=pruned_roles,
    )
  if not num_kept or at_start is not None:
    last = part(last_key, start, full)
    parts, losses = jax.tree.map(lambda x: x[None], (last.fast, last.losses))
    return PrunedFit(last._replace(losses=losses), full, parts)
  (state, mask), found = jax.lax.scan(
    round_,
    (start, full),
    (jnp.stack(keys), jnp.asarray(num_kept, jnp.int32)),
  )
  last = part(last_key, state, mask)
  parts, losses = jax.tree.map(
    lambda all_, x: jnp.concatenate([all_, x[None]]),
    found,
    (last.fast, last.losses),
  )
  return PrunedFit(last._replace(losses=losses), mask, parts)


def mask_at_start(
  method: method_lib.Method,
  key: Array,
  outer: method_lib.Outer,
  context: Context,
  *,
  saliency: saliency_lib.Saliency,
  num_kept: int,
  pruned_roles: tuple[str, ...] = PRUNED_ROLES,
) -> PyTree:
  """What a saliency of the start keeps for one signal, before any fitting.

  Its loss is the mean squared error, and each of its batches all points: unlike
  a classifier's, they are few enough.

  Args:
    method: what will fit.
    key: of scores by chance.
    outer: what meta-learning gave; what its mask has removed stays removed.
    context: the signal.
    saliency: of single weights.
    num_kept: parameters of the pruned roles that stay.
    pruned_roles: what is pruned.

  Returns:
    A mask like the fast parameters; not finite if the scores are not, so that
    the fit is not either.

  Raises:
    ValueError: for a method with gates, which have a pattern of their own.
  """
  if method.gates is not None:
    raise ValueError(
      "Pruning at the start does not go with gates: leave out one of them."
    )
  fast = method.initial_fast(outer, context)
  roles = method.partition.roles
  before = outer.mask or method_lib.full_mask(fast)

  def is_pruned(name: str, leaf: Array) -> bool:
    del leaf
    module, _, own = name.rpartition("/")
    return roles[module][own] in pruned_roles

  def masked_loss(shared: PyTree, fast: PyTree, context: Context) -> Array:
    of_network, mask = shared
    present = jax.tree.map(jnp.multiply, mask, fast)
    prediction = method.apply(of_network, present, context.coords)
    return gradient_lib.squared_error(prediction, context.values)

  loss: gradient_lib.LossFn = masked_loss
  if method.point_tile is not None:
    loss = tiles.tiled_loss(masked_loss, method.point_tile)

  def loss_fn(params: PyTree, batch: Any) -> Array:
    return loss(batch[:2], params, batch[2])

  # All that is traced comes with the batch: a saliency differentiates around
  # its inner steps, through which nothing may be closed over.
  repeated = jax.tree.map(
    lambda leaf: jnp.broadcast_to(leaf, (saliency.num_batches, *leaf.shape)),
    (outer.shared, before, context),
  )
  structure = structures.Unstructured(select=is_pruned)
  scores = saliency(key, loss_fn, fast, repeated, structure)
  mask = pruning.keep_largest(
    before,
    structures.map_named(
      lambda name, leaf: scores.get(name, jnp.zeros_like(leaf)), fast
    ),
    num_kept,
    roles=roles,
    pruned_roles=pruned_roles,
  )
  # Without this, nothing would be left, and the fit of the rest be finite.
  finite = jnp.isfinite(sum(jnp.sum(score) for score in scores.values()))
  return jax.tree.map(lambda m: jnp.where(finite, m, jnp.nan), mask)
