"""A network as three values: init, apply, and the role of every parameter."""

from collections.abc import Callable
from typing import NamedTuple

import haiku as hk
import jax.numpy as jnp

from inrjax.networks import fourier, nerv, siren
from inrjax.types import Array, PyTree

# The role of a Haiku parameter, by the exact name its module declares it under.
_ROLES = {
  "w": "weight",
  "b": "bias",
  "shift": "modulation",
  "scale": "modulation",
  "readout": "modulation",
  "latent": "modulation",
  "frequencies": "constant",
}


# The shape of any network that a context is fitted with.
Config = siren.SirenConfig | fourier.FourierConfig | nerv.NervConfig


class Network(NamedTuple):
  """A pure-function network.

  Attributes:
    init: `(key) -> params`.
    apply: `(params, coords [N, D]) -> values [N, C]`.
    features: `(params, coords [N, D]) -> [N, width]`, the outputs of the last
      hidden layer.
    roles: `params -> tree of str` with the role of every parameter: `weight`,
      `bias`, `modulation` (whatever belongs to one signal alone) or `constant`
      (drawn once and never trained).
    output_slope: slope of what is behind the last layer, of the values.
  """

  init: Callable[[Array], PyTree]
  apply: Callable[[PyTree, Array], Array]
  features: Callable[[PyTree, Array], Array]
  roles: Callable[[PyTree], PyTree]
  output_slope: Callable[[Array], Array] = jnp.ones_like


class Hypernetwork(NamedTuple):
  """A map from a signal to the network that represents it, itself learned.

  Attributes:
    init: `(key, fast) -> params` for a network with parameters like `fast`, a
      Haiku tree whose modules have other names than the network's.
    apply: `(params, fast, values [N, C]) -> fast` of the signal with these
      values, from parameters that are the same for all signals.
  """

  init: Callable[[Array, PyTree], PyTree]
  apply: Callable[[PyTree, PyTree, Array], PyTree]


def roles(params: PyTree) -> PyTree:
  """Tree of role names like the Haiku tree `params`."""
  return {
    module: {name: _ROLES[name] for name in leaves}
    for module, leaves in params.items()
  }


def make_siren(config: siren.SirenConfig) -> Network:
  """A (modulated) SIREN as a `Network`."""
  return _coordinate_network(siren.siren(config), config.in_dim)


def make_fourier(config: fourier.FourierConfig) -> Network:
  """A Fourier feature network as a `Network`."""
  return _coordinate_network(fourier.fourier(config), config.in_dim)


def make_nerv(config: nerv.NervConfig) -> Network:
  """A NeRV as a `Network` whose points are frames, at their times `[N, 1]`."""
  network = _coordinate_network(nerv.nerv(config), 1)
  return network._replace(output_slope=nerv.output_slope)


def make_network(config: Config) -> Network:
  """The network of a config, of whichever kind."""
  if isinstance(config, nerv.NervConfig):
    return make_nerv(config)
  if isinstance(config, fourier.FourierConfig):
    return make_fourier(config)
  return make_siren(config)


def _coordinate_network(
  forward: Callable[[Array], tuple[Array, Array]], in_dim: int
) -> Network:
  """A network from its Haiku function to values and features."""
  transformed = hk.without_apply_rng(hk.transform(forward))

  def init(key: Array) -> PyTree:
    return transformed.init(key, jnp.zeros((1, in_dim)))

  def apply(params: PyTree, coords: Array) -> Array:
    return transformed.apply(params, coords)[0]

  def features(params: PyTree, coords: Array) -> Array:
    return transformed.apply(params, coords)[1]

  return Network(init, apply, features, roles)
