"""A SIREN without the units that do nothing: smaller, not only sparser.

A sine unit whose weights and bias are zero outputs sin(0) = 0. Group gates
close such units (`sparsity.PerUnit`); here they leave, with the weights that
read them, and what remains costs what its size says.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from inrjax.networks import sine
from inrjax.types import Array, PyTree

_STACK = "__layer_stack_with_per_layer/hidden"


class Layer(NamedTuple):
  """An affine layer.

  Attributes:
    weights: `[fan in, units]`.
    biases: `[units]`.
  """

  weights: Array
  biases: Array


def layers(params: PyTree) -> list[Layer]:
  """The layers of an unmodulated SIREN, first to readout.

  Args:
    params: parameters of `networks.make_siren` with `modulate=()` and no basis.

  Raises:
    ValueError: for the parameters of another network.
  """
  params = dict(params)
  try:
    first, last = params.pop("first"), params.pop("~")
    hidden = params.pop(_STACK, None)
    if params or set(last) != {"w", "b"}:
      raise KeyError(sorted(params) or sorted(last))
  except KeyError as error:
    raise ValueError(
      f"Not the parameters of a SIREN without modulations: {error}."
    ) from error
  stack = [] if hidden is None else zip(hidden["w"], hidden["b"], strict=True)
  return [
    Layer(first["w"], first["b"]),
    *(Layer(w, b) for w, b in stack),
    Layer(last["w"], last["b"]),
  ]


def without_silent_units(dense: list[Layer]) -> list[Layer]:
  """Drops sine units whose weights and bias are all zero.

  Args:
    dense: concrete layers, first to readout; the readout keeps its channels.

  Raises:
    ValueError: if a layer has no unit left.
  """
  smaller = []
  inputs = np.arange(dense[0].weights.shape[0])
  for index, (weights, biases) in enumerate(dense):
    units = np.arange(biases.shape[0])
    if index < len(dense) - 1:
      loud = np.any(np.asarray(weights) != 0, axis=0) | (
        np.asarray(biases) != 0
      )
      units = np.flatnonzero(loud)
      if not len(units):
        raise ValueError(
          f"Layer {index} has no unit left: the network would be constant. "
          "Prune less, or lower the penalty."
        )
    smaller.append(Layer(weights[np.ix_(inputs, units)], biases[units]))
    inputs = units
  return smaller


def apply_layers(sizes: list[Layer], coords: Array, *, w0: float) -> Array:
  """Values `[N, C]` of sine layers and a linear readout at `[N, D]`."""
  h = coords
  *hidden, last = sizes
  for weights, biases in hidden:
    h = sine.sine(h @ (w0 * weights) + (w0 * biases)[None])
  return jnp.asarray(h @ last.weights + last.biases[None])
