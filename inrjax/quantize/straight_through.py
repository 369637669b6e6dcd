"""Quantisation-aware fine-tuning on a fixed grid.

The forward pass rounds weights, and activations if asked; the backward pass
takes rounding for the identity (Bengio et al., 2013), so that the weights
behind the rounded ones go on learning. The reference of tables 4.1 and 4.2 of
Alizadeh's thesis, good at the width that it was trained for.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from inrjax.quantize import grids as grids_lib
from inrjax.quantize import taps
from inrjax.sparsity import structures
from inrjax.types import Array, PyTree


def quantize(grid: grids_lib.Grid, values: Array) -> Array:
  """Rounds to the grid; the derivative is 1 inside its range and 0 outside.

  A value that rounds to an end of the grid is inside.

  Args:
    grid: fixed; it has no derivative.
    values: floats of a shape that the grid broadcasts to.

  Returns:
    The same as `grids.fake_quantize`.
  """
  scale, low, high = grids_lib.parts(grid, values)
  steps = jnp.round(values / scale)
  inside = (steps >= low) & (steps <= high)
  # Exactly the rounded value: x + (q - x) would differ in the last bit.
  return _with_derivative(grids_lib.fake_quantize(grid, values), values, inside)


def quantize_params(
  grids: Mapping[str, grids_lib.Grid], params: PyTree
) -> PyTree:
  """Rounds the parameters that have a grid, by name, with `quantize`.

  Args:
    grids: as `post_training.fit_params` makes them.
    params: parameters.

  Returns:
    A tree like the parameters.

  Raises:
    ValueError: if a grid is of no parameter.
  """
  unknown = sorted(grids.keys() - structures.named_leaves(params).keys())
  if unknown:
    raise ValueError(f"The grids of {unknown} are of no parameter.")
  return structures.map_named(
    lambda name, leaf: quantize(grids[name], leaf) if name in grids else leaf,
    params,
  )


def quantizing(grids: Mapping[str, grids_lib.Grid]) -> taps.Tap:
  """A tap that rounds every activation to the grid of its name.

  Args:
    grids: as `post_training.fit_activations` makes them.

  Returns:
    The tap; it refuses an activation without a grid (ValueError).
  """

  def tap(name: str, activation: Array) -> Array:
    if name not in grids:
      raise ValueError(
        f"No grid for the activation {name!r}, only for {sorted(grids)}."
      )
    return quantize(grids[name], activation)

  return tap


def quantization_aware(
  loss_fn: Callable[[taps.Tap, PyTree, Any], Any],
  *,
  weights: Mapping[str, grids_lib.Grid],
  activations: Mapping[str, grids_lib.Grid] | None = None,
) -> Callable[[PyTree, Any], Any]:
  """A loss of the quantised network, to be trained like any other.

  Args:
    loss_fn: `(tap, params, batch) -> anything`.
    weights: grids of parameters by name, fixed during training.
    activations: grids of tapped activations by name; None leaves them alone.

  Returns:
    `(params, batch) -> ` what the loss returns for the rounded network.
  """
  tap = taps.identity if activations is None else quantizing(activations)
  return lambda params, batch: loss_fn(
    tap, quantize_params(weights, params), batch
  )


@jax.custom_jvp
def _with_derivative(rounded: Array, values: Array, inside: Array) -> Array:
  del values, inside
  return rounded


@_with_derivative.defjvp
def _with_derivative_jvp(primals, tangents):  # type: ignore[no-untyped-def]
  rounded, _, inside = primals
  return rounded, jnp.where(inside, tangents[1], 0).astype(rounded.dtype)
