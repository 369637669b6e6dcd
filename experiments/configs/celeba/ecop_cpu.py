"""ECoP and what it is compared with on CelebA, for two CPU cores.

  python -m experiments.celeba
      --config=experiments/configs/celeba/ecop_cpu.py:ecop
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon is as in `ecop.py`; here at 96 x 96.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import long_horizon
from experiments.configs.celeba import ecop

VARIANTS = ecop.VARIANTS


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """`ecop.py` at a size for two CPU cores, locked.

  Args:
    variant: a method.
  """
  return long_horizon.on_two_cores(ecop.get_config(variant))
