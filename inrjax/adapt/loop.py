"""The one inner loop.

`make_adapt` turns a loss and a link into a function that fits the fast
parameters of ONE signal; batch it with `over_signals`. Every method is a choice
of its arguments.
"""

from collections.abc import Callable
from typing import Any, Protocol

import chex
import jax
import jax.numpy as jnp
import optax
from jax.ad_checkpoint import checkpoint_name

from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import links
from inrjax.coords import select as select_lib
from inrjax.types import Adapted, Array, Context, PyTree

# Name of the inner gradient among the values that a step computes.
_GRADIENT = "inner_gradient"


class Adapt(Protocol):
  """An inner loop on one signal."""

  def __call__(
    self,
    key: Array,
    shared: PyTree,
    fast: PyTree,
    meta: PyTree,
    context: Context,
  ) -> Adapted:
    """Adapts `fast`, starting from its value, to `context`."""
    ...


def make_adapt(
  loss_fn: gradient_lib.LossFn,
  link: links.Link,
  *,
  num_steps: int,
  gradient: Callable[
    [gradient_lib.LossFn], gradient_lib.GradientFn
  ] = gradient_lib.mixed_mode,
  select: select_lib.Select = select_lib.full_context,
  ema_decay: float | None = None,
) -> Adapt:
  """An inner loop: `num_steps` updates of the fast parameters of one signal.

  fast_{t+1} = fast_t + link(grad_fast loss(shared, fast_t, select(context)))

  Args:
    loss_fn: loss of one signal.
    link: the update rule, usually an `optax.chain` of `inrjax.adapt.links`.
    num_steps: S, the number of updates; 0 returns the start.
    gradient: how the inner gradient is taken and differentiated
      (`gradient.mixed_mode`, `gradient.reverse`, `gradient.first_order`).
    select: the points that each step sees.
    ema_decay: alpha of the exponential moving average that is returned in
      place of the last iterate, alpha fast_t + (1 - alpha) average_{t-1}
      (MSCN D.2; an evaluation-time choice). None returns the last iterate.

  Returns:
    `(key, shared, fast, meta, context) -> Adapted(fast, losses [S + 1], fast)`.
    The last loss is that of the parameters returned, and the only one that an
    outer gradient sees.

  Raises:
    ValueError: for a negative number of steps or alpha outside (0, 1].
  """
  if num_steps < 0:
    raise ValueError(f"num_steps must be at least 0, got {num_steps}.")
  if ema_decay is not None and not 0 < ema_decay <= 1:
    raise ValueError(f"ema_decay must lie in (0, 1], got {ema_decay}.")
  loss_and_grad = gradient(loss_fn)

  def adapt(
    key: Array,
    shared: PyTree,
    fast: PyTree,
    meta: PyTree,
    context: Context,
  ) -> Adapted:
    chex.assert_rank([context.coords, context.values], 2)

    def step(carry: Any, step_key: Array) -> tuple[Any, Array]:
      fast, average, link_state = carry
      selected = select(step_key, shared, fast, context)
      loss, grads = loss_and_grad(shared, fast, selected)
      grads = checkpoint_name(grads, _GRADIENT)
      updates, link_state = link.update(grads, link_state, fast, meta=meta)
      fast = optax.apply_updates(fast, updates)
      if ema_decay is not None:
        average = optax.incremental_update(fast, average, ema_decay)
      return (fast, average, link_state), loss

    start = (fast, fast if ema_decay is not None else None, link.init(fast))
    keys = jax.random.split(key, num_steps)
    # Of a step only its start, its gradient and which points scored highest
    # are stored.
    few = jax.checkpoint_policies.save_only_these_names(
      _GRADIENT, select_lib.CHOSEN
    )
    (fast, average, _), losses = jax.lax.scan(
      jax.checkpoint(step, policy=few, prevent_cse=False),
      start,
      keys,
    )
    result = fast if ema_decay is None else average
    last = loss_fn(shared, result, context)
    chex.assert_rank(last, 0)
    return Adapted(result, jnp.append(losses, last), result)

  return adapt


def over_signals(
  fn: Callable[..., Any], *, task_tile: int | None = None
) -> Callable[..., Any]:
  """Maps a function of one signal over the leading axis of its arguments.

  Tiles of `task_tile` signals run one after the other, each vectorised: small
  tiles stay in a CPU's cache, one large tile fills an accelerator.

  Args:
    fn: function of arguments without the batch axis.
    task_tile: signals per tile; None vectorises over all of them.

  Returns:
    The mapped function; every argument must have the leading axis B.
  """
  if task_tile is not None and task_tile < 1:
    raise ValueError(f"task_tile must be at least 1 or None, got {task_tile}.")

  def mapped(*args: Any) -> Any:
    if task_tile is None:
      return jax.vmap(fn)(*args)
    if task_tile == 1:
      return jax.lax.map(lambda xs: fn(*xs), args)
    return jax.lax.map(lambda xs: fn(*xs), args, batch_size=task_tile)

  return mapped
