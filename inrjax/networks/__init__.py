"""Networks as pure functions; Haiku stays in here.

The functions `siren.siren` and `fourier.fourier` and the sine of `sine` bear
the names of their modules and are reached through them.
"""

from inrjax.networks.fourier import FourierConfig
from inrjax.networks.hyperprior import HyperpriorConfig, make_hyperprior
from inrjax.networks.nerv import NervConfig, make_nerv
from inrjax.networks.network import (
  Network,
  make_fourier,
  make_network,
  make_siren,
)
from inrjax.networks.partition import Partition, make_partition
from inrjax.networks.scene import make_scene, with_depths
from inrjax.networks.siren import MODULATIONS, SirenConfig
from inrjax.networks.warm_start import fit_basis, principal_components

__all__ = [
  "MODULATIONS",
  "FourierConfig",
  "HyperpriorConfig",
  "NervConfig",
  "Network",
  "Partition",
  "SirenConfig",
  "fit_basis",
  "make_fourier",
  "make_hyperprior",
  "make_nerv",
  "make_network",
  "make_partition",
  "make_scene",
  "make_siren",
  "principal_components",
  "with_depths",
]
