"""Sparse updates of a model by L0 gates, in place of the prior's spike.

The gates of MSCN (`inrjax.sparsity.gates`), one for every parameter of the
receiver, say which of them change when a codec is adapted to an instance
(`inrjax.meta.instance_adaptive`):

  theta = theta_D + Q(z delta)
  M     = sum_i p_i (M_slab(delta_i) - log2 pi) - (1 - p_i) log2(1 - pi)

with p_i = P(z_i != 0), M_slab the continuous rate of the slab alone, and
pi = 1 / (1 + alpha) the share of parameters that the prior expects to change:
the bits of saying which ones change and, for those that do, by how much. It is
the expected number of open gates (Schwarz & Teh, 2022, eqs. 5 to 8), each of
them at its price. A file is coded under the discrete mixture of the same alpha,
of which a zero takes -log2(1 - pi) and anything else -log2(pi) and its bits
under the slab, up to what the spike has beside the middle bin.

Gates are sampled where a context has a seed (`instance_adaptive.seeded`), and
are the deterministic ones of test time elsewhere: when a model is measured, and
when it is coded. What they close is exactly zero.

Differs from the papers: van Rozendaal et al. (2021) draw small updates to zero
by the slope of a narrow spike; Schwarz & Teh learn gates for a data set, these
belong to one instance.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import flatten_util

from inrjax.adapt import gradient as gradient_lib
from inrjax.meta import instance_adaptive
from inrjax.quantize import spike_and_slab
from inrjax.sparsity import gates
from inrjax.types import Array, Context, PyTree

# Published constants; a receiver need not know them.
DISTRIBUTION = gates.HardConcrete()
# Latents have noise of the same seed.
_STREAM = 1


def gated_start(fast: PyTree, *, log_alpha: float) -> PyTree:
  """Where adaptation with gates starts: `fast`, and a gate for every change.

  Args:
    fast: of `instance_adaptive.full_model`.
    log_alpha: of all gates; MSCN has 0.1.
  """
  return fast | {"log_alpha": gates.init_log_alpha(fast["delta"], log_alpha)}


def settled(fast: Any) -> Any:
  """What is sent: the change behind the gates of test time.

  Args:
    fast: what adaptation changes, with or without gates.

  Returns:
    The same without gates, multiplied in.
  """
  if not (isinstance(fast, dict) and "log_alpha" in fast):
    return fast
  log_alpha, unravel = flatten_util.ravel_pytree(fast["log_alpha"])
  return _behind(fast, unravel(gates.estimate(log_alpha, DISTRIBUTION)))


def expected_bits(prior: spike_and_slab.SpikeAndSlab, fast: PyTree) -> Array:
  """M, bits `[]`, in expectation over the gates.

  Args:
    prior: slab, and alpha as the odds that a parameter does not change.
    fast: with changes and gates.

  Raises:
    ValueError: for an alpha of 0, by which every parameter changes.
  """
  if not prior.spike_weight:
    raise ValueError(
      "With gates spike_weight, alpha, is the odds that a parameter does not "
      "change; 0 would make closing one infinitely dear."
    )
  slab = dataclasses.replace(prior, spike_weight=0.0)
  # Flat, as `total_bits` has the changes.
  log_alpha, _ = flatten_util.ravel_pytree(fast["log_alpha"])
  is_open = gates.probability_open(log_alpha, DISTRIBUTION)
  opening = math.log2(1 + prior.spike_weight)
  closing = opening - math.log2(prior.spike_weight)

  def expected(
    prior: spike_and_slab.SpikeAndSlab, delta: Array, log_scale: Any = 0.0
  ) -> Array:
    bits = spike_and_slab.continuous_bits(prior, delta, log_scale)
    return is_open * (bits + opening) + (1 - is_open) * closing

  return instance_adaptive.model_bits(expected, slab, fast)


def gated_loss(
  loss_fn: gradient_lib.LossFn,
  *,
  beta: float,
  num_pixels: int,
  prior: spike_and_slab.SpikeAndSlab,
) -> gradient_lib.LossFn:
  """Eq. 2 with a change behind gates, and their M.

  Args:
    loss_fn: `instance_adaptive.rdm_loss` without a rate of the change.
    beta: weight of the rates.
    num_pixels: of the whole instance, which the model's bits are shared by.
    prior: as in `expected_bits`.
  """

  def gated(shared: PyTree, fast: PyTree, context: Context) -> Array:
    key = instance_adaptive.seed_key(context)
    if key is None:
      closed = settled(fast)
    else:
      # One long vector: tensor by tensor it would take minutes to compile.
      log_alpha, unravel = flatten_util.ravel_pytree(fast["log_alpha"])
      noise = gates.noise_like(jax.random.fold_in(key, _STREAM), log_alpha)
      opened = gates.sample(log_alpha, noise, DISTRIBUTION)
      closed = _behind(fast, unravel(opened))
    rate = expected_bits(prior, fast) / num_pixels
    return loss_fn(shared, closed, context) + beta * rate

  return gated


def _behind(fast: PyTree, opened: PyTree) -> PyTree:
  """Fast parameters whose change is multiplied by gates."""
  rest = {name: fast[name] for name in fast if name != "log_alpha"}
  return rest | {"delta": jax.tree.map(jnp.multiply, opened, fast["delta"])}
