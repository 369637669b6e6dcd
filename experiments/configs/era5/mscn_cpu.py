"""MSCN on near-surface temperature, small enough for two CPU cores.

  python -m experiments.era5
      --config=experiments/configs/era5/mscn_cpu.py:16
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=FIELDS.nc

The part after the colon is the number of values stored per signal:
4, 8, 16, 64.
Made for the 110 annual means of `trefht_ccm_ensemble57_1890-1999_annual.nc`, in
32 x 64 points, the last 20 of them for testing.
Hardware and time: two CPU cores, minutes.
Measured in docs/results/signals.md.
"""

from ml_collections import config_dict

from experiments.configs import fields
from experiments.configs.era5 import mscn

VARIANTS = fields.SMALL


def get_config(variant: str = "16") -> config_dict.ConfigDict:
  """What differs from `mscn.py`, locked.

  Args:
    variant: number of values stored per signal.
  """
  config = mscn.get_config()
  fields.on_two_cores(config, variant)
  return config
