"""Reptile: the start moves towards where the fits end (Nichol et al., 2018).

The outer gradient is start - mean adapted (section 2), that of half the mean
squared distance of the start from constants; no inner step is differentiated.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from inrjax.meta import method as method_lib
from inrjax.meta import objectives
from inrjax.types import Adapted, Array, Context, Metrics, PyTree


def reptile(
  method: method_lib.Method,
  as_context: Callable[[PyTree], Context],
  *,
  task_tile: int | None = None,
) -> objectives.Objective:
  """The objective whose gradient is Reptile's.

  Only the start is learned; shared parameters and what the links read get a
  gradient of zero. The loss is the surrogate, so look at the metric "mse".

  Args:
    method: a method with a learned start and without gates.
    as_context: turns one signal of the batch into a context.
    task_tile: signals adapted at a time (`batch.mean_over_signals`).

  Raises:
    ValueError: for a method that learns no start, or has gates or a
      hypernetwork.
  """
  # In place of a key: of `init` only the shapes are wanted.
  key = jax.eval_shape(lambda: jax.random.key(0))
  if not jax.eval_shape(method.init, key).fast:
    raise ValueError(
      "Reptile learns where fits start and this method always starts from "
      "zero; set start=learned_start."
    )
  if method.gates is not None:
    raise ValueError(
      "Reptile has no gradient for gates: what they are follows from no "
      "distance of parameters. Use a method without gates."
    )
  if method.hypernetwork is not None:
    raise ValueError(
      "Reptile has no gradient for a hypernetwork; use `post_adaptation`."
    )

  def signal_loss(
    key: Array, params: method_lib.Outer, noise: PyTree, context: Context
  ) -> tuple[Array, Adapted, Metrics]:
    constants = jax.lax.stop_gradient(params)
    adapted = method.adapt(key, constants, noise, context)
    moved = jax.tree.map(jnp.subtract, params.fast, adapted.state["fast"])
    return 0.5 * optax.tree.norm(moved, squared=True), adapted, {}

  return objectives.of_signals(
    method, as_context, signal_loss, task_tile=task_tile
  )
