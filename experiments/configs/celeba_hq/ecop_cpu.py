"""ECoP and what it is compared with on CelebA-HQ, for two CPU cores.

  python -m experiments.celeba_hq
      --config=experiments/configs/celeba_hq/ecop_cpu.py:ecop
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA_HQ]

The part after the colon is as in `ecop_512.py`; here at 96 x 96.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import long_horizon
from experiments.configs.celeba_hq import ecop_512

VARIANTS = ecop_512.VARIANTS


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """`ecop_512.py` at a size for two CPU cores, locked.

  Args:
    variant: a method.
  """
  return long_horizon.on_two_cores(ecop_512.get_config(variant))
