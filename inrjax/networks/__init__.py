"""Networks as pure functions; Haiku stays in here.

The functions `siren.siren`, `fourier.fourier` and `transinr.transinr` and the
sine of `sine` bear the names of their modules and are reached through them.
"""

from inrjax.networks.fourier import FourierConfig
from inrjax.networks.hyperprior import HyperpriorConfig, make_hyperprior
from inrjax.networks.nerv import NervConfig
from inrjax.networks.network import (
  Hypernetwork,
  Network,
  make_fourier,
  make_nerv,
  make_network,
  make_siren,
)
from inrjax.networks.partition import Partition, make_partition
from inrjax.networks.scene import make_scene, with_depths
from inrjax.networks.siren import MODULATIONS, SirenConfig
from inrjax.networks.transinr import TransInrConfig, make_transinr
from inrjax.networks.warm_start import fit_basis, principal_components

__all__ = [
  "MODULATIONS",
  "FourierConfig",
  "Hypernetwork",
  "HyperpriorConfig",
  "NervConfig",
  "Network",
  "Partition",
  "SirenConfig",
  "TransInrConfig",
  "fit_basis",
  "make_fourier",
  "make_hyperprior",
  "make_nerv",
  "make_network",
  "make_partition",
  "make_scene",
  "make_siren",
  "make_transinr",
  "principal_components",
  "with_depths",
]
