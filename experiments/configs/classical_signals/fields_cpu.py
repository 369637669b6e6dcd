"""Codecs on the fields that learned codecs are tested on on two cores.

  python -m experiments.classical_signals
      --config=experiments/configs/classical_signals/fields_cpu.py:all
      --workdir=DIR --mode=evaluate --data_dir=FIELDS.nc

As `fields.py`, for `trefht_ccm_ensemble57_1890-1999_annual.nc`.
Hardware and time: one CPU core, seconds.
"""

from ml_collections import config_dict

from experiments.configs.classical_signals import fields
from experiments.configs.era5 import coinpp_cpu

VARIANTS = fields.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all", or one codec.
  """
  return fields.of_learned(coinpp_cpu.get_config(), variant)
