"""The weight of the L0 penalty: a number, a ramp, or a controller.

MSCN fixes lambda for each number of modulations (tables 4-12). A controller
asks for the number instead: lambda is the dual variable of the constraint
E[L0] <= target, moved in log space, damped near the target and limited in rate.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from inrjax.types import Array, PyTree


class PenaltyWeight(NamedTuple):
  """lambda as a state machine; its state travels in the training state.

  Attributes:
    init: `() -> state`.
    value: `state -> lambda []`.
    update: `(state, expected L0 []) -> state`, once per outer step.
  """

  init: Callable[[], PyTree]
  value: Callable[[PyTree], Array]
  update: Callable[[PyTree, Array], PyTree]


def constant(weight: float) -> PenaltyWeight:
  """lambda of the papers' tables."""
  if weight < 0:
    raise ValueError(f"The penalty weight must not be negative, got {weight}.")
  return PenaltyWeight(
    init=lambda: (),
    value=lambda state: jnp.asarray(weight, jnp.float32),
    update=lambda state, expected: state,
  )


def ramped(weight: float, num_steps: int) -> PenaltyWeight:
  """lambda grows linearly from 0 over the first `num_steps` outer steps."""
  if weight < 0:
    raise ValueError(f"The penalty weight must not be negative, got {weight}.")
  if num_steps < 1:
    raise ValueError(f"num_steps must be at least 1, got {num_steps}.")
  return PenaltyWeight(
    init=lambda: jnp.zeros((), jnp.float32),
    value=lambda step: weight * jnp.minimum(step / num_steps, 1.0),
    update=lambda step, expected: step + 1,
  )


class _Controller(NamedTuple):
  """log lambda and log E[L0] of the step before (NaN at the start)."""

  log_weight: Array
  log_expected: Array


def controlled(
  target: float,
  *,
  initial: float = 1e-5,
  gain: float = 0.01,
  damping: float = 2.0,
  limits: tuple[float, float] = (1e-9, 1e3),
) -> PenaltyWeight:
  """Reaches a requested expected number of open gates.

  With e = log(E[L0] / target), each outer step moves

    log lambda += gain (clip(e, -1, 1) + damping d),  d = clip(100 de, -1, 1)

  where de is the change of e since the step before: the second term takes back
  what the first has built up while E[L0] is already moving, so that the target
  is approached and not overshot.

  Args:
    target: requested E[L0], at least 1.
    initial: lambda at the start.
    gain: step of log lambda at |e| >= 1.
    damping: weight of the derivative term, 0 for a plain dual ascent.
    limits: range of lambda.

  Raises:
    ValueError: for a target below 1 or values outside their ranges.
  """
  if target < 1:
    raise ValueError(
      f"target is {target}; at least one gate must stay open. Closing all of "
      "them leaves nothing that the inner loop could adapt."
    )
  low, high = limits
  if not 0 < low <= initial <= high:
    raise ValueError(
      f"initial must lie in the limits {limits} and be positive, got {initial}."
    )
  if not (gain > 0 and damping >= 0):
    raise ValueError(
      "gain must be positive and damping not negative, got "
      f"{gain} and {damping}."
    )

  def update(state: _Controller, expected: Array) -> _Controller:
    log_expected = jnp.log(jnp.maximum(expected, 1e-3))
    error = jnp.clip(log_expected - jnp.log(target), -1.0, 1.0)
    change = jnp.nan_to_num(log_expected - state.log_expected)
    derivative = jnp.clip(100 * change, -1.0, 1.0)
    log_weight = state.log_weight + gain * (error + damping * derivative)
    return _Controller(
      jnp.clip(log_weight, jnp.log(low), jnp.log(high)), log_expected
    )

  return PenaltyWeight(
    init=lambda: _Controller(jnp.log(initial), jnp.full((), jnp.nan)),
    value=lambda state: jnp.exp(state.log_weight),
    update=update,
  )
