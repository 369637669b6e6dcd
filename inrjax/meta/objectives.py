"""Outer objectives: what the outer optimiser sees.

An objective is `(key, params, carry, batch) -> (loss, (metrics, carry))`; the
carry holds what training updates without a gradient, such as the weight of a
penalty. Objectives compose: each function here takes one or makes one.
"""

from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
import optax

from inrjax.adapt import batch as batch_lib
from inrjax.meta import method as method_lib
from inrjax.sparsity import gates as gates_lib
from inrjax.sparsity import penalty as penalty_lib
from inrjax.types import Adapted, Array, Context, Metrics, PyTree


class Objective(Protocol):
  """The scalar that the outer optimiser minimises."""

  def __call__(
    self, key: Array, params: PyTree, carry: PyTree, batch: PyTree
  ) -> tuple[Array, tuple[Metrics, PyTree]]:
    """Loss `[]`, scalar metrics and the next carry."""
    ...


# (key, params, noise, context) -> (loss [], the fit, further metrics) of one
# signal.
SignalLoss = Callable[
  [Array, method_lib.Outer, PyTree, Context], tuple[Array, Adapted, Metrics]
]


def post_adaptation(
  method: method_lib.Method,
  as_context: Callable[[PyTree], Context],
  *,
  task_tile: int | None = None,
) -> Objective:
  """Mean loss after adaptation over the signals of a batch (MAML eq. 3).

  One Monte-Carlo sample of the gates per outer step is shared by the batch.

  Args:
    method: the method.
    as_context: turns one signal of the batch into a context.
    task_tile: signals adapted at a time (`batch.mean_over_signals`).
  """

  def last_loss(
    key: Array, params: method_lib.Outer, noise: PyTree, context: Context
  ) -> tuple[Array, Adapted, Metrics]:
    adapted = method.adapt(key, params, noise, context)
    return adapted.losses[-1], adapted, {}

  return of_signals(method, as_context, last_loss, task_tile=task_tile)


def of_signals(
  method: method_lib.Method,
  as_context: Callable[[PyTree], Context],
  signal_loss: SignalLoss,
  *,
  task_tile: int | None = None,
) -> Objective:
  """Mean over the signals of a batch of what one signal's fit costs.

  Args:
    method: the method of the fit.
    as_context: turns one signal of the batch into a context.
    signal_loss: the loss of one signal, its fit, and metrics of its own.
    task_tile: signals adapted at a time.
  """
  # Where gates are adapted to each signal (MSCN eq. 8), so is their penalty.
  adapted_gates = method.gates is not None and method.gates.adapt_rate > 0

  def objective(
    key: Array, params: method_lib.Outer, carry: PyTree, batch: PyTree
  ) -> tuple[Array, tuple[Metrics, PyTree]]:
    noise_key, adapt_key = jax.random.split(key)
    noise = method.noise(noise_key)
    num_signals = jax.tree.leaves(batch)[0].shape[0]

    def one(
      params: method_lib.Outer, key: Array, signal: PyTree
    ) -> tuple[dict[str, Array], PyTree]:
      loss, adapted, metrics = signal_loss(
        key, params, noise, as_context(signal)
      )
      terms = {"loss": loss}
      if adapted_gates:
        terms["expected_l0"] = method.expected_l0(params, adapted.state)
        metrics |= _open_gates(method, adapted.state["log_alpha"])
      return terms, (adapted.losses, metrics)

    keys = jax.random.split(adapt_key, num_signals)
    terms, (losses, of_signal) = batch_lib.mean_over_signals(
      one, params, (keys, batch), task_tile=task_tile
    )
    mean = jnp.mean(losses, axis=0)
    metrics = {
      "mse": mean[-1],
      "mse_before": mean[0],
      "psnr": -10 * jnp.mean(jnp.log10(losses[:, -1])),
    }
    if method.gates is not None and not adapted_gates:
      metrics["expected_l0"] = method.expected_l0(params, {})
      metrics |= _open_gates(method, params.log_alpha)
    metrics |= jax.tree.map(jnp.mean, of_signal)
    loss = terms.pop("loss")
    return loss, (metrics | terms, carry)

  return objective


def _open_gates(method: method_lib.Method, log_alpha: PyTree) -> Metrics:
  assert method.gates is not None
  open_ = gates_lib.open_gates(log_alpha, method.gates.distribution)
  return {"open_gates": optax.tree.sum(open_).astype(jnp.float32)}


def with_l0_penalty(
  objective: Objective,
  weight: penalty_lib.PenaltyWeight,
  *,
  num_values: int,
) -> Objective:
  """Adds lambda E[L0] / `num_values` to an objective (MSCN eqs. 6-8).

  E[L0] is the objective's metric "expected_l0": that of the shared gates, or
  the mean over signals of the gates adapted to each.

  The papers sum squared errors over the `num_values` = N C values of a signal;
  our reconstruction loss is their mean, so lambda is divided by their number.

  Args:
    objective: what is penalised; its method must have gates.
    weight: lambda; its state is put beside the inner objective's carry, as
      `(carry, state)`.
    num_values: N C.
  """

  def penalised(
    key: Array, params: method_lib.Outer, carry: PyTree, batch: PyTree
  ) -> tuple[Array, tuple[Metrics, PyTree]]:
    inner_carry, state = carry
    loss, (metrics, inner_carry) = objective(key, params, inner_carry, batch)
    if "expected_l0" not in metrics:
      raise ValueError(
        "The objective has no expected number of gates to penalise; give its "
        "method gates."
      )
    expected = metrics["expected_l0"]
    value = weight.value(state)
    state = weight.update(state, jax.lax.stop_gradient(expected))
    metrics = metrics | {"penalty_weight": value}
    return loss + value * expected / num_values, (
      metrics,
      (inner_carry, state),
    )

  return penalised
