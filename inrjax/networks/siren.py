"""SIREN and its modulated forms (Sitzmann et al., 2020; thesis ch. 5).

A network of `depth` sine layers and a linear readout. Per-signal modulations
are Haiku parameters like any other, so that which parameters are shared and
which are fast stays the caller's choice (`inrjax.networks.partition`):

  shift    m_l in sin(w0 (W h + b + m_l))          thesis eq. 5.4, MSCN eq. 10
  scale    s_l in sin(w0 ((1 + s_l) (W h) + b))    FiLM, thesis eq. 5.3
  readout  R   in (W_out + R) h + b_out            not in the papers

The modulations are either parameters themselves (MSCN) or a linear or MLP map
of a latent vector (COIN++, Functa). `readout` makes the reconstruction linear
in part of the modulations, a learned basis expansion beside the shifts.
"""

import dataclasses
import math
from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp

from inrjax.networks import sine
from inrjax.types import Array

# Up to so many layers are compiled one by one: a tenth faster than a loop, and
# a third longer to compile.
_UNROLLED_LAYERS = 15
MODULATIONS = ("shift", "scale", "readout")


def _uniform(bound: float) -> hk.initializers.Initializer:
  return hk.initializers.RandomUniform(-bound, bound)


@dataclasses.dataclass(frozen=True)
class SirenConfig:
  """The shape of a SIREN.

  Attributes:
    depth: number of sine layers, the first included; a linear readout follows.
    width: units of every sine layer.
    w0: frequency factor of every sine layer.
    in_dim: coordinate dimensions D.
    out_dim: value channels C.
    out_bias: initial value of the readout's bias; 0.5 centres outputs in
      [0, 1].
    modulate: which modulations exist, a subset of `MODULATIONS`.
    latent_dim: length of the latent vector that is mapped to the modulations;
      None makes the modulations themselves parameters.
    latent_map_widths: hidden widths of the latent map; empty for a linear map.
    basis_dim: outputs of a linear layer between the last sine layer and the
      readout, functions of the coordinates that the readout combines; None
      leaves it out, as the papers do.
  """

  depth: int
  width: int
  w0: float = 30.0
  in_dim: int = 2
  out_dim: int = 3
  out_bias: float = 0.5
  modulate: tuple[str, ...] = ()
  latent_dim: int | None = None
  latent_map_widths: tuple[int, ...] = ()
  basis_dim: int | None = None

  def __post_init__(self) -> None:
    for name in ("depth", "width", "in_dim", "out_dim", "basis_dim"):
      value = getattr(self, name)
      if value is not None and value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}.")
    if not (self.w0 > 0 and math.isfinite(self.w0)):
      raise ValueError(f"w0 must be positive and finite, got {self.w0}.")
    unknown = sorted(set(self.modulate) - set(MODULATIONS))
    if unknown:
      raise ValueError(
        f"modulate names {unknown}; choose from {list(MODULATIONS)}."
      )
    if self.latent_dim is not None:
      if self.latent_dim < 1:
        raise ValueError(
          f"latent_dim must be at least 1 or None, got {self.latent_dim}."
        )
      if not self.modulate:
        raise ValueError(
          "latent_dim is set but modulate is empty; name what the latent "
          "modulates, for example modulate=('shift',)."
        )
    if self.latent_map_widths and self.latent_dim is None:
      raise ValueError(
        "latent_map_widths needs a latent vector; set latent_dim."
      )

  def modulation_shapes(self) -> dict[str, tuple[int, ...]]:
    """Shape of each kind of modulation the network takes."""
    shapes = {
      "shift": (self.depth, self.width),
      "scale": (self.depth, self.width),
      "readout": (self.basis_dim or self.width, self.out_dim),
    }
    return {name: shapes[name] for name in self.modulate}

  def num_modulations(self) -> int:
    """Number of modulation values of one signal, before any latent map."""
    return sum(math.prod(s) for s in self.modulation_shapes().values())


class _SineLayer(hk.Module):
  """sin(w0 ((1 + scale) W h + b + shift)) with Sitzmann's initialisation."""

  def __init__(
    self, width: int, *, w0: float, weight_bound: float, name: str
  ) -> None:
    super().__init__(name=name)
    self._width = width
    self._w0 = w0
    self._weight_bound = weight_bound

  def __call__(self, h: Array, shift: Array, scale: Array) -> Array:
    fan_in = h.shape[-1]
    w = hk.get_parameter(
      "w", (fan_in, self._width), h.dtype, _uniform(self._weight_bound)
    )
    b = hk.get_parameter(
      "b", (self._width,), h.dtype, _uniform(1 / math.sqrt(fan_in))
    )
    # Folding w0 into the small tensors leaves one multiplication per weight
    # and none per point.
    w = w * (self._w0 * (1 + scale))[None]
    return sine.sine(h @ w + (self._w0 * (b + shift))[None])


def _latent_map(config: SirenConfig, latent: Array) -> dict[str, Array]:
  """Modulations of a latent vector, each `[*modulation_shape]`."""
  h = latent
  for i, width in enumerate(config.latent_map_widths):
    h = jax.nn.relu(hk.Linear(width, name=f"latent_map_hidden_{i}")(h))
  bound = 1 / math.sqrt(h.shape[-1])
  modulations = {}
  for name, shape in config.modulation_shapes().items():
    # The readout starts small: it multiplies features of unit size, where a
    # shift is scaled down by w0's weights.
    scale = bound / config.width if name == "readout" else bound
    flat = hk.Linear(
      math.prod(shape),
      # A bias would duplicate the layers' own biases (thesis 5.2.2).
      with_bias=bool(config.latent_map_widths),
      w_init=_uniform(scale),
      name=f"latent_map_{name}",
    )(h)
    modulations[name] = flat.reshape(shape)
  return modulations


def _modulations(config: SirenConfig, dtype: jnp.dtype) -> dict[str, Array]:
  if config.latent_dim is not None:
    latent = hk.get_parameter("latent", (config.latent_dim,), dtype, jnp.zeros)
    return _latent_map(config, latent)
  return {
    name: hk.get_parameter(name, shape, dtype, jnp.zeros)
    for name, shape in config.modulation_shapes().items()
  }


def siren(
  config: SirenConfig,
) -> Callable[[Array], tuple[Array, Array]]:
  """The forward function, to be passed to `hk.transform`.

  First-layer weights are uniform in +-1/D, later ones in +-sqrt(6/width)/w0
  (Sitzmann et al., 2020, section 3.2); biases uniform in +-1/sqrt(fan in), as
  in the published SIREN code.

  Args:
    config: the network's shape.

  Returns:
    A function of coordinates `[N, D]` to values `[N, C]` and the outputs
    `[N, width]` of the last sine layer.
  """
  hidden_bound = math.sqrt(6 / config.width) / config.w0

  def forward(coords: Array) -> tuple[Array, Array]:
    modulations = _modulations(config, coords.dtype)
    zeros = jnp.zeros((config.depth, config.width), coords.dtype)
    shift = modulations.get("shift", zeros)
    scale = modulations.get("scale", zeros)
    h = _SineLayer(
      config.width,
      w0=config.w0,
      weight_bound=1 / config.in_dim,
      name="first",
    )(coords, shift[0], scale[0])
    if config.depth > 1:

      def hidden(h: Array, shift: Array, scale: Array) -> Array:
        return _SineLayer(
          config.width,
          w0=config.w0,
          weight_bound=hidden_bound,
          name="hidden",
        )(h, shift, scale)

      num_hidden = config.depth - 1
      stack = hk.layer_stack(
        num_hidden,
        with_per_layer_inputs=True,
        unroll=num_hidden if num_hidden <= _UNROLLED_LAYERS else 1,
      )
      h, _ = stack(lambda h, m, s: (hidden(h, m, s), None))(
        h, shift[1:], scale[1:]
      )
    features = h
    if config.basis_dim is not None:
      h = hk.Linear(
        config.basis_dim,
        with_bias=False,
        w_init=_uniform(math.sqrt(6 / config.width)),
        name="basis",
      )(h)
    w = hk.get_parameter(
      "w", (h.shape[-1], config.out_dim), h.dtype, _uniform(hidden_bound)
    )
    b = hk.get_parameter(
      "b",
      (config.out_dim,),
      h.dtype,
      hk.initializers.Constant(config.out_bias),
    )
    if "readout" in modulations:
      w = w + modulations["readout"]
    return h @ w + b[None], features

  return forward
