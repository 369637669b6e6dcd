"""Fourier feature network (Tancik et al., 2020; Meta-SparseINR, appendix B).

A fixed random first layer, ReLU layers after it:

  h_1 = [sin(2 pi B x), cos(2 pi B x)],  B ~ N(0, sigma^2) and never trained
  h_l = relu(W h_{l-1} + b),             values = W h_L + b
"""

import dataclasses
import math
from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp

from inrjax.networks import sine
from inrjax.types import Array


@dataclasses.dataclass(frozen=True)
class FourierConfig:
  """The shape of a Fourier feature network.

  Attributes:
    depth: hidden layers, the fixed first one included (4 in the paper).
    width: units of every hidden layer, even: half are sines, half cosines.
    sigma: deviation of the frequencies, in periods per unit of the coordinates
      (20 in the paper, where they span [0, 1]).
    in_dim: coordinate dimensions D.
    out_dim: value channels C.
    out_bias: initial value of the readout's bias.
  """

  depth: int
  width: int
  sigma: float = 20.0
  in_dim: int = 2
  out_dim: int = 3
  out_bias: float = 0.5

  def __post_init__(self) -> None:
    for name in ("depth", "width", "in_dim", "out_dim"):
      if getattr(self, name) < 1:
        raise ValueError(
          f"{name} must be at least 1, got {getattr(self, name)}."
        )
    if self.width % 2:
      raise ValueError(
        f"width must be even (sines and cosines), got {self.width}."
      )
    if not (self.sigma > 0 and math.isfinite(self.sigma)):
      raise ValueError(f"sigma must be positive and finite, got {self.sigma}.")


class _ReluLayer(hk.Module):
  """relu(W h + b); He initialisation."""

  def __init__(self, width: int, *, name: str) -> None:
    super().__init__(name=name)
    self._width = width

  def __call__(self, h: Array) -> Array:
    fan_in = h.shape[-1]
    bound = math.sqrt(6 / fan_in)
    w = hk.get_parameter(
      "w",
      (fan_in, self._width),
      h.dtype,
      hk.initializers.RandomUniform(-bound, bound),
    )
    b = hk.get_parameter("b", (self._width,), h.dtype, jnp.zeros)
    return jax.nn.relu(h @ w + b[None])


def fourier(config: FourierConfig) -> Callable[[Array], tuple[Array, Array]]:
  """The forward function, to be passed to `hk.transform`.

  Args:
    config: the network's shape.

  Returns:
    A function of coordinates `[N, D]` to values `[N, C]` and the outputs
    `[N, width]` of the last hidden layer.
  """

  def forward(coords: Array) -> tuple[Array, Array]:
    frequencies = hk.get_parameter(
      "frequencies",
      (config.in_dim, config.width // 2),
      coords.dtype,
      hk.initializers.RandomNormal(config.sigma),
    )
    phases = 2 * math.pi * coords @ jax.lax.stop_gradient(frequencies)
    h = jnp.concatenate([sine.sine(phases), sine.cosine(phases)], axis=-1)
    if config.depth > 1:
      h = hk.layer_stack(config.depth - 1)(
        lambda h: _ReluLayer(config.width, name="hidden")(h)
      )(h)
    bound = 1 / math.sqrt(config.width)
    w = hk.get_parameter(
      "w",
      (config.width, config.out_dim),
      h.dtype,
      hk.initializers.RandomUniform(-bound, bound),
    )
    b = hk.get_parameter(
      "b",
      (config.out_dim,),
      h.dtype,
      hk.initializers.Constant(config.out_bias),
    )
    return h @ w + b[None], h

  return forward
