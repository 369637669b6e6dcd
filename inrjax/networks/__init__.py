"""Networks as pure functions; Haiku stays in here.

The function `inrjax.networks.siren.siren` and the sine of
`inrjax.networks.sine` bear the names of their modules and are reached through
them.
"""

from inrjax.networks.network import Network, make_siren
from inrjax.networks.partition import Partition, make_partition
from inrjax.networks.siren import MODULATIONS, SirenConfig
from inrjax.networks.warm_start import fit_basis, principal_components

__all__ = [
  "MODULATIONS",
  "Network",
  "Partition",
  "SirenConfig",
  "fit_basis",
  "make_partition",
  "make_siren",
  "principal_components",
]
