"""Dense narrow networks on Kodak, SIREN, for two CPU cores.

  python -m experiments.kodak
      --config=experiments/configs/kodak/scratch_cpu.py:12
      --workdir=DIR --mode=evaluate [--kodak_dir=KODAK]

The part after the colon is as in `scratch.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.kodak import scratch

VARIANTS = scratch.VARIANTS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """`scratch.py` at a size for two CPU cores, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  return full_weights.on_two_cores(scratch.get_config(variant))
