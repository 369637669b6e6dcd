"""Learnit on CelebA, for two CPU cores.

  python -m experiments.celeba
      --config=experiments/configs/celeba/learnit_cpu.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon is as in `learnit.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.celeba import learnit

VARIANTS = learnit.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """`learnit.py` at a size for two CPU cores, locked.

  Args:
    variant: "all".
  """
  return full_weights.on_two_cores(learnit.get_config(variant))
