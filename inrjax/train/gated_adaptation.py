"""Adapting a hyperprior codec to one clip by sparse changes behind L0 gates.

An `adaptation.Adaptation` like the others, and the optimiser that gates need;
see `inrjax.meta.gated_update`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from inrjax.adapt import gradient as gradient_lib
from inrjax.meta import gated_update, instance_adaptive, rate_distortion
from inrjax.quantize import spike_and_slab
from inrjax.sparsity import gates
from inrjax.train import adaptation, optimizer
from inrjax.types import Array, Metrics, PyTree


def of_gated_model(
  model: rate_distortion.RateModel,
  params: PyTree,
  *,
  beta: float,
  num_pixels: int,
  prior: spike_and_slab.SpikeAndSlab,
  log_alpha: float,
) -> adaptation.Adaptation:
  """The whole model, with gates in place of the spike.

  Args:
    model: network and rate model.
    params: the global model's.
    beta: weight of the rates.
    num_pixels: of all frames together.
    prior: of the change, in a file and in what is measured; while it is
      learned, the slab and the odds of a change.
    log_alpha: of all gates at the start.
  """
  whole = adaptation.of_model(
    model, params, beta=beta, num_pixels=num_pixels, prior=prior
  )

  def make_loss(frame_shape: tuple[int, int, int]) -> gradient_lib.LossFn:
    ungated = instance_adaptive.rdm_loss(
      model,
      beta=beta,
      frame_shape=frame_shape,
      num_pixels=num_pixels,
      prior=prior,
      rate_fn=None,
    )
    return gated_update.gated_loss(
      ungated, beta=beta, num_pixels=num_pixels, prior=prior
    )

  def measure(
    shared: PyTree, fast: PyTree, images: Array, index: Array
  ) -> Metrics:
    return whole.measure(shared, gated_update.settled(fast), images, index)

  start = gated_update.gated_start(whole.start, log_alpha=log_alpha)
  return adaptation.Adaptation(adaptation.of_frames(make_loss), start, measure)


def make_optimizer(
  start: PyTree, *, rate_factor: float, **settings: Any
) -> optax.GradientTransformation:
  """Adam, faster for gates, which it keeps in their range.

  Args:
    start: of `of_gated_model`.
    rate_factor: of the rate of log alpha.
    **settings: of `train.make_optimizer`.
  """
  adam = optimizer.make_optimizer(
    labels={name: name for name in start},
    rate_factors={"log_alpha": rate_factor},
    **settings,
  )

  def project(updates: Any, params: Any) -> Any:
    before = params["log_alpha"]
    inside = gates.project_log_alpha(
      optax.apply_updates(before, updates["log_alpha"]),
      gated_update.DISTRIBUTION,
    )
    return updates | {"log_alpha": jax.tree.map(jnp.subtract, inside, before)}

  return optax.chain(adam, optax.stateless(project))
