"""ECoP and what it is compared with on temperature, for two CPU cores.

  python -m experiments.era5
      --config=experiments/configs/era5/ecop_cpu.py:ecop
      --workdir=DIR --mode=train --mode=evaluate --data_dir=FIELDS.nc

The part after the colon is as in `ecop.py`.
Made for the 110 annual means of `trefht_ccm_ensemble57_1890-1999_annual.nc`, in
32 x 64 points, the last 20 of them for testing.
Hardware and time: two CPU cores, minutes.
Not measured yet.
"""

from ml_collections import config_dict

from experiments.configs import long_signals
from experiments.configs.era5 import ecop

VARIANTS = ecop.VARIANTS


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """What differs from `ecop.py`, locked.

  Args:
    variant: a method.
  """
  config = ecop.get_config(variant)
  long_signals.on_two_cores(config)
  with config.unlocked():
    config.signal.value_range = (202.0, 314.0)
    config.data.source.update(variable="TREFHT", stride=2, held_out=20)
    config.network.w0 = 20.0
  return config
