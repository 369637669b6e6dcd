"""Selects: which points of a context an inner step sees."""

from typing import Protocol

import jax

from inrjax.types import Array, Context, PyTree


class Select(Protocol):
  """Chooses the points of one inner step."""

  def __call__(
    self, key: Array, shared: PyTree, fast: PyTree, context: Context
  ) -> Context:
    """The context of K <= N points that the step sees."""
    ...


def full_context(
  key: Array, shared: PyTree, fast: PyTree, context: Context
) -> Context:
  """All points."""
  del key, shared, fast
  return context


def random_points(num_points: int) -> Select:
  """`num_points` points without replacement, drawn anew at each step."""
  if num_points < 1:
    raise ValueError(f"num_points must be at least 1, got {num_points}.")

  def select(
    key: Array, shared: PyTree, fast: PyTree, context: Context
  ) -> Context:
    del shared, fast
    available = context.coords.shape[0]
    if num_points > available:
      raise ValueError(
        f"num_points is {num_points} but the context has {available} points."
      )
    chosen = jax.random.choice(key, available, (num_points,), replace=False)
    return Context(context.coords[chosen], context.values[chosen])

  return select
