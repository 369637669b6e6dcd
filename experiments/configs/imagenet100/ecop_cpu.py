"""ECoP and what it is compared with on ImageNet-100, for two CPU cores.

  python -m experiments.imagenet100
      --config=experiments/configs/imagenet100/ecop_cpu.py:ecop
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=IMAGENET100

The part after the colon is as in `ecop.py`; here at 96 x 96.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import long_horizon
from experiments.configs.imagenet100 import ecop

VARIANTS = ecop.VARIANTS


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """`ecop.py` at a size for two CPU cores, locked.

  Args:
    variant: a method.
  """
  return long_horizon.on_two_cores(ecop.get_config(variant))
