"""Bootstrapped targets: where the fit would have gone on to (ECoP 2.3).

After the K steps that are differentiated, L more on the full context give a
target. The adapted parameters are drawn towards it, which makes up for what
pruned contexts leave out and looks beyond the horizon of K steps, while nothing
of the L steps is kept: the target is a constant.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import links
from inrjax.coords import select as select_lib
from inrjax.meta import method as method_lib
from inrjax.meta import objectives
from inrjax.types import Adapted, Array, Context, Metrics, PyTree

# Distance [] of two trees of parameters.
Distance = Callable[[PyTree, PyTree], Array]


def l2_distance(one: PyTree, other: PyTree) -> Array:
  """||one - other|| over all leaves, ECoP eq. 5; of gradient 0 at 0."""
  square = optax.tree.norm(_difference(one, other), squared=True)
  # The derivative of the root is infinite where the distance is zero.
  positive = square > 0
  return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)


def mean_squared_distance(one: PyTree, other: PyTree) -> Array:
  """Mean over all parameters of their squared differences."""
  difference = _difference(one, other)
  return optax.tree.norm(difference, squared=True) / optax.tree.size(difference)


def _difference(one: PyTree, other: PyTree) -> PyTree:
  return jax.tree.map(jnp.subtract, one, other)


@dataclasses.dataclass(frozen=True)
class Target:
  """How the target is reached from the adapted parameters.

  Attributes:
    num_steps: L, at least 1.
    link: the update rule of these steps; None keeps the method's.
    select: the points of each step; the full context is best (table 6).
    gradient: how the gradient of a step is taken; never differentiated. For a
      large context `tiles.tiled_gradient(gradient.first_order, tile)`.
  """

  num_steps: int = 5
  link: links.Link | None = None
  select: select_lib.Select = select_lib.full_context
  gradient: Callable[[gradient_lib.LossFn], gradient_lib.GradientFn] = (
    gradient_lib.first_order
  )

  def __post_init__(self) -> None:
    if self.num_steps < 1:
      raise ValueError(
        f"A target takes at least 1 step, got {self.num_steps}; for none use "
        "the objective without a bootstrap."
      )

  def method(self, method: method_lib.Method) -> method_lib.Method:
    """`method` with the steps of the target."""
    return dataclasses.replace(
      method,
      num_steps=self.num_steps,
      link=method.link if self.link is None else self.link,
      select=self.select,
      gradient=self.gradient,
      ema_decay=None,
    )


# L = 5 on the full context (ECoP A.2).
PAPER = Target()


def bootstrapped_distance(
  method: method_lib.Method, target: Target, distance: Distance = l2_distance
) -> Callable[..., Array]:
  """Distance of a fit from its target, for one signal.

  What is compared is what the network gets, gates and mask applied.

  Args:
    method: the method of the fit.
    target: how to go on from it.
    distance: of two trees of parameters.

  Returns:
    `(key, outer, noise, context, adapted) -> []`. Its gradient reaches
    `adapted` alone.
  """
  further = target.method(method)

  def of_signal(
    key: Array,
    outer: method_lib.Outer,
    noise: PyTree,
    context: Context,
    adapted: Adapted,
  ) -> Array:
    outer, noise, start = jax.lax.stop_gradient((outer, noise, adapted.state))
    reached = further.adapt(key, outer, noise, context, start=start)
    return distance(adapted.fast, jax.lax.stop_gradient(reached.fast))

  return of_signal


def bootstrapped(
  method: method_lib.Method,
  as_context: Callable[[PyTree], Context],
  *,
  target: Target = PAPER,
  weight: float = 100.0,
  distance: Distance = l2_distance,
  task_tile: int | None = None,
) -> objectives.Objective:
  """`post_adaptation` plus a weighted distance from the target (ECoP 2.3).

  mean over signals of L(phi_K; full context) + weight distance(phi_K, target)

  The K steps are taken once, for both terms. Penalties wrap this objective as
  they do the other; at weight 0 it is the other.

  Args:
    method: the method, with the `select` that prunes its contexts.
    as_context: turns one signal of the batch into a context.
    target: how the target is reached.
    weight: lambda (ECoP A.2: 100).
    distance: mu; `l2_distance` is the paper's.
    task_tile: signals adapted at a time (`batch.mean_over_signals`).

  Raises:
    ValueError: for a negative weight, or one that is not finite.
  """
  if not 0 <= weight < float("inf"):
    raise ValueError(f"weight must be finite and at least 0, got {weight}.")
  if not weight:
    return objectives.post_adaptation(method, as_context, task_tile=task_tile)
  distance_of = bootstrapped_distance(method, target, distance)

  def signal_loss(
    key: Array, params: method_lib.Outer, noise: PyTree, context: Context
  ) -> tuple[Array, Adapted, Metrics]:
    adapted = method.adapt(key, params, noise, context)
    further_key = jax.random.fold_in(key, method.num_steps)
    apart = distance_of(further_key, params, noise, context, adapted)
    loss = adapted.losses[-1] + weight * apart
    return loss, adapted, {"bootstrap_distance": apart}

  return objectives.of_signals(
    method, as_context, signal_loss, task_tile=task_tile
  )
