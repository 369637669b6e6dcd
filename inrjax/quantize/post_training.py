"""Rounding a trained network, to any width, from one set of weights.

Weights are rounded to grids fitted to them, activations to grids fitted to
their ranges on some batches or, without data, to what their batch norm says of
them. `loss_change` and `predictive_kl` say what it costs before and after
(figures 4.1 and 4.5 of Alizadeh's thesis). Rounding itself is
`quantize_params`, and `straight_through.quantizing` for activations.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from inrjax.quantize import grids as grids_lib
from inrjax.quantize import taps
from inrjax.quantize.straight_through import quantize_params
from inrjax.sparsity import structures
from inrjax.types import Array, PyTree

__all__ = [
  "Change",
  "Range",
  "batch_norm_range",
  "calibrate",
  "fit_activations",
  "fit_params",
  "loss_change",
  "predictive_kl",
  "quantize_params",
]

Select = Callable[[str, Array], bool]


class Range(NamedTuple):
  """The values that an activation takes.

  Attributes:
    lowest: the lowest.
    highest: the highest.
  """

  lowest: float
  highest: float


class Change(NamedTuple):
  """What rounding does to a loss.

  Attributes:
    predicted: `[]` to first order, <delta, dL/dw> (eq. 4.1).
    bound: `[]` the most that first order allows: half a bin times the L1 norm
      of the gradient (eq. 4.2).
    induced: `[]` the change itself.
  """

  predicted: Array
  bound: Array
  induced: Array


def fit_params(
  params: PyTree,
  *,
  num_bits: int,
  scheme: grids_lib.Scheme = grids_lib.symmetric,
  axis: int | None = None,
  select: Select = structures.is_weight,
) -> dict[str, grids_lib.Grid]:
  """A grid for each weight.

  Args:
    params: trained parameters, on the host or a device.
    num_bits: bits per weight, in [2, 32].
    scheme: `grids.symmetric` or `grids.asymmetric`.
    axis: the axis of the output channels, -1 in Haiku, for a scale per channel;
      None for a scale per tensor.
    select: `(name, leaf) -> bool`, which parameters are rounded.

  Returns:
    Grids by the names of the parameters.

  Raises:
    ValueError: for a width outside [2, 32], a parameter that is not finite
      (it is named), or if nothing is selected.
  """
  grids_lib.check_bits(num_bits)
  leaves = structures.named_leaves(params)
  grids = {}
  for name, leaf in leaves.items():
    if not select(name, leaf):
      continue
    try:
      grids[name] = grids_lib.fit(
        leaf, num_bits=num_bits, scheme=scheme, axis=axis
      )
    except ValueError as error:
      raise ValueError(f"{name}: {error}") from error
  if not grids:
    raise ValueError(f"None of the parameters {list(leaves)} is to be rounded.")
  return grids


def calibrate(
  fn: Callable[..., Any], params: PyTree, batches: Iterable[Any]
) -> dict[str, Range]:
  """Ranges of the tapped activations over batches.

  Args:
    fn: `(tap, params, batch) -> anything`; see `taps.tap_products`.
    params: parameters.
    batches: at least one batch.

  Returns:
    The ranges, by the names of the activations.

  Raises:
    ValueError: without batches or taps, or for an activation that is not finite
      (it is named).
  """

  def extremes(params: PyTree, batch: Any) -> dict[str, tuple[Array, Array]]:
    _, found = taps.recording(fn, params, batch)
    return {name: (jnp.min(x), jnp.max(x)) for name, x in found.items()}

  ranges: dict[str, Range] = {}
  for batch in batches:
    for name, ends in extremes(params, batch).items():
      low, high = (float(end) for end in ends)
      if not np.all(np.isfinite([low, high])):
        raise ValueError(
          f"The activation {name!r} ranges from {low} to {high}: the network"
          " diverged, or a batch is not finite."
        )
      before = ranges.get(name, Range(low, high))
      ranges[name] = Range(min(before.lowest, low), max(before.highest, high))
  if not ranges:
    raise ValueError("No activation was seen: there are no batches or no taps.")
  return ranges


def batch_norm_range(
  scale: Any,
  offset: Any,
  *,
  num_deviations: float = 6.0,
  lowest: float = -np.inf,
  highest: float = np.inf,
) -> Range:
  """The range of an activation behind a batch norm, without any data.

  A channel is taken for a normal variable of mean `offset` and deviation
  |scale| (Nagel et al., 2019, "Data-free quantization", section 4.2).

  Args:
    scale: gamma, any shape.
    offset: beta, the same shape.
    num_deviations: n of the range beta +- n |gamma|, positive.
    lowest: the least that the nonlinearity lets pass; 0 for a ReLU.
    highest: the most; 6 for a ReLU6.

  Returns:
    The range over all channels.

  Raises:
    ValueError: for statistics that are not finite or differ in shape, or a
      number of deviations that is not positive.
  """
  scale, offset = np.asarray(scale, np.float64), np.asarray(offset, np.float64)
  finite = np.all(np.isfinite(scale)) and np.all(np.isfinite(offset))
  if scale.shape != offset.shape or scale.size == 0 or not finite:
    raise ValueError(
      "scale and offset must be finite and of one shape, got"
      f" {scale.shape} and {offset.shape}."
    )
  if not 0 < num_deviations < np.inf:
    raise ValueError(f"num_deviations must be positive, got {num_deviations}.")
  width = num_deviations * np.abs(scale)
  ends = np.clip(
    [(offset - width).min(), (offset + width).max()], lowest, highest
  )
  return Range(float(ends[0]), float(ends[1]))


def fit_activations(
  ranges: Mapping[str, Range],
  *,
  num_bits: int,
  scheme: grids_lib.Scheme = grids_lib.symmetric,
) -> dict[str, grids_lib.Grid]:
  """A grid for each activation, one scale per tensor.

  Args:
    ranges: from `calibrate` or `batch_norm_range`.
    num_bits: bits per activation, in [2, 32].
    scheme: `grids.symmetric` or `grids.asymmetric`.

  Returns:
    Grids by name, for `straight_through.quantizing`.

  Raises:
    ValueError: for a width outside [2, 32] or a range that is not one.
  """
  return {name: scheme(*ends, num_bits) for name, ends in ranges.items()}


def loss_change(
  loss_fn: Callable[[PyTree, Any], Array],
  params: PyTree,
  grids: Mapping[str, grids_lib.Grid],
  batch: Any,
) -> Change:
  """What rounding the parameters does to the loss, predicted and seen.

  Args:
    loss_fn: `(params, batch) -> []`.
    params: full-precision parameters.
    grids: from `fit_params`.
    batch: what the loss is taken on.

  Returns:
    The predicted, the largest possible and the induced change (figure 4.1).
  """
  rounded = quantize_params(grids, params)
  loss, grads = jax.value_and_grad(loss_fn)(params, batch)
  chex.assert_rank(loss, 0)
  delta = jax.tree.map(jnp.subtract, rounded, params)
  zero = jnp.zeros(())
  predicted = sum(
    jax.tree.leaves(jax.tree.map(lambda d, g: jnp.sum(d * g), delta, grads)),
    start=zero,
  )
  leaves = structures.named_leaves(grads)
  bound = sum(
    (
      jnp.sum(
        grids_lib.parts(grid, leaves[name])[0] / 2 * jnp.abs(leaves[name])
      )
      for name, grid in grids.items()
    ),
    start=zero,
  )
  return Change(predicted, bound, loss_fn(rounded, batch) - loss)


def predictive_kl(logits: Array, quantized_logits: Array) -> Array:
  """KL(p || q) of the predictions, in nats, mean over the batch (figure 4.5).

  Args:
    logits: `[..., C]` of the full-precision network, p.
    quantized_logits: `[..., C]` of the quantised one, q.

  Returns:
    `[]`, at least 0.
  """
  chex.assert_equal_shape([logits, quantized_logits])
  log_p = jax.nn.log_softmax(logits)
  log_q = jax.nn.log_softmax(quantized_logits)
  each = jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)
  return jnp.mean(each)
