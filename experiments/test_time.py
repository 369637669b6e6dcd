"""Fits as they are trained for: the method's own inner steps, at test time.

Where training pruned contexts (ECoP, Tack et al., 2023), a test signal is
fitted to its full context, with gradients of the scale that training had
(section 2.4, eq. 6); here are that fit and those it is compared with (B.2,
B.5). `weights.py` measures what they reach.
"""

import dataclasses
from collections.abc import Callable

import jax

from experiments import build
from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import scaling
from inrjax.codec import gradient_scaling
from inrjax.coords import select as select_lib
from inrjax.meta import method as method_lib
from inrjax.types import Array, Context, PyTree

_Gradient = Callable[[gradient_lib.LossFn], gradient_lib.GradientFn]
# What a codec may fit by; `with_gradient` has all.
_SCALINGS = {"full": None, "norm_scaled": "norm", "loss_scaled": "loss"}


def make_method(
  config: build.Section, method: method_lib.Method, gradient: str
) -> method_lib.Method:
  """The method as it fits test signals; its losses are those of all points.

  Args:
    config: the whole config; `evaluate.fit` says how many steps.
    method: the method as trained.
    gradient: as `with_gradient` takes it; or "none", no steps at all: what the
      start reaches, such as a prediction.
  """
  if gradient == "none":
    return dataclasses.replace(method, num_steps=0)
  num_steps = config["evaluate"]["fit"]["num_steps"]
  long = dataclasses.replace(method, num_steps=num_steps)
  return with_gradient(config, long, gradient)


def with_gradient(
  config: build.Section, method: method_lib.Method, gradient: str
) -> method_lib.Method:
  """The method on full contexts, by one of the gradients of test time.

  Args:
    config: the whole config.
    method: the method as trained.
    gradient: "full", of the full context; "norm_scaled" or "loss_scaled", the
      same in the scale of training's by the ratio of gradient norms (eq. 6) or
      of losses (B.2); "pruned", of the points that training would see (B.5).

  Raises:
    ValueError: for another gradient, or one that asks for the points of a
      training that drew them.
  """
  pruning = scaling.as_in_training(method.select)
  gradients = {
    "full": gradient_lib.first_order,
    "norm_scaled": scaling.by_gradient_norm(pruning),
    "loss_scaled": scaling.by_loss(pruning),
    "pruned": of_pruned(pruning),
  }
  chosen = build.choose(gradients, gradient, "the gradient at test time")
  kind = config.get("select", {"kind": "all"})["kind"]
  if gradient != "full" and kind == "random":
    raise ValueError(
      f"evaluate.fit.gradients has {gradient!r}, but select.kind is 'random': "
      "its points are drawn, and of the size of all. Use 'full'."
    )
  return dataclasses.replace(
    method,
    select=select_lib.full_context,
    gradient=chosen,
  )


@build.of_config()
def make_scaling(
  config: build.Section,
) -> gradient_scaling.GradientScaling | None:
  """How a codec scales gradients, so that it fits as evaluation does.

  Args:
    config: the whole config; `evaluate.gradient` is "full" unless it is there.

  Returns:
    None for the gradients as they are.

  Raises:
    ConfigError: for a gradient of pruned contexts, or the scale of points that
      training drew.
  """
  name = config["evaluate"].get("gradient", "full")
  kind = build.choose(_SCALINGS, name, "evaluate.gradient, of a codec,")
  select = config.get("select", {"kind": "all"})
  if kind is None or select["kind"] == "all":
    return None
  if select["kind"] == "random":
    raise ValueError(
      f"evaluate.gradient is {name!r}, but select.kind is 'random': its points "
      "are drawn, and of the size of all. Use 'full'."
    )
  return gradient_scaling.GradientScaling(kind, select["ratio"], select["kind"])


def of_pruned(
  pruning: scaling.Pruning, gradient: _Gradient = gradient_lib.first_order
) -> _Gradient:
  """The gradient of training's points, beside the loss of all (B.5).

  Args:
    pruning: the points that training would have chosen.
    gradient: how the gradient is taken.
  """

  def of_loss(loss_fn: gradient_lib.LossFn) -> gradient_lib.GradientFn:
    select = pruning(loss_fn)
    loss_and_grad = gradient(loss_fn)

    def pruned(
      shared: PyTree, fast: PyTree, context: Context
    ) -> tuple[Array, PyTree]:
      # Without a key, like the scaled gradients: nothing is drawn.
      part = select(None, shared, fast, context)  # type: ignore[arg-type]
      _, grads = loss_and_grad(shared, fast, part)
      return loss_fn(shared, fast, context), grads

    return pruned

  return of_loss


def decode(
  method: method_lib.Method, shared: PyTree, fast: PyTree, coords: Array
) -> Array:
  """Values `[N, C]`, of `point_tile` coordinates at a time where it is set."""
  if method.point_tile is None:
    return method.apply(shared, fast, coords)
  values: Array = jax.lax.map(
    lambda x: method.apply(shared, fast, x[None])[0],
    coords,
    batch_size=method.point_tile,
  )
  return values
