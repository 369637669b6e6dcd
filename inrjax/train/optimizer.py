"""The outer optimiser: Adam, a clipped gradient, rates by group."""

import math
from collections.abc import Mapping

import jax
import optax

from inrjax import types


def make_optimizer(
  learning_rate: optax.ScalarOrSchedule,
  *,
  clip_norm: float | None = None,
  labels: types.PyTree | None = None,
  rate_factors: Mapping[str, float] | None = None,
  b1: float = 0.9,
  b2: float = 0.999,
  eps: float = 1e-8,
) -> optax.GradientTransformation:
  """Adam on a gradient clipped as a whole, groups at rates of their own.

  Adam treats each number apart, so a factor on its update is the same as an
  Adam of the group's own at that many times the rate (the log-alpha of L0 gates
  take 100 to 1000).

  Args:
    learning_rate: rate, or rate per step.
    clip_norm: the gradient of all parameters together is scaled down to this
      Euclidean norm; None leaves it.
    labels: group names: a tree like the parameters, or a prefix of it, such as
      `Params(network="network", gates="gates")`.
    rate_factors: factor of each group's rate, at least 0; groups without one
      have factor 1.
    b1: decay of Adam's first moment, in [0, 1).
    b2: decay of its second moment, in [0, 1).
    eps: added to the root of the second moment.

  Returns:
    The optimiser.

  Raises:
    ValueError: for a factor or norm out of range, or one whose group no label
      names.
  """
  if clip_norm is not None and not clip_norm > 0:
    raise ValueError(f"clip_norm must be above 0 or None, got {clip_norm}.")
  links = [optax.scale_by_adam(b1=b1, b2=b2, eps=eps)]
  if clip_norm is not None:
    links.insert(0, optax.clip_by_global_norm(clip_norm))
  if rate_factors:
    links.append(scale_by_label(labels, rate_factors))
  return optax.chain(*links, optax.scale_by_learning_rate(learning_rate))


def scale_by_label(
  labels: types.PyTree, factors: Mapping[str, float]
) -> optax.GradientTransformation:
  """Multiplies updates by the factor of their group.

  Args:
    labels: group names, a tree like the updates or a prefix of it.
    factors: finite factors at least 0; groups without one have factor 1.

  Returns:
    A stateless transformation.

  Raises:
    ValueError: for a factor out of range, or whose group no label names.
  """
  known = set(jax.tree.leaves(labels))
  for label, factor in factors.items():
    if label not in known:
      raise ValueError(
        f"rate_factors names {label!r}, but the labels are {sorted(known)}."
      )
    if not (math.isfinite(factor) and factor >= 0):
      raise ValueError(
        f"The rate factor of {label!r} must be finite and at least 0, got "
        f"{factor}."
      )

  def scale(
    updates: optax.Updates, params: optax.Params | None
  ) -> optax.Updates:
    del params
    spread = jax.tree.broadcast(labels, updates)
    return jax.tree.map(
      lambda update, label: update * factors.get(label, 1.0), updates, spread
    )

  return optax.stateless(scale)
