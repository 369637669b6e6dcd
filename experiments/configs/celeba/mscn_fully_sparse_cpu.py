"""Fully sparse MSCN on CelebA, for two CPU cores.

  python -m experiments.celeba
      --config=experiments/configs/celeba/mscn_fully_sparse_cpu.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon is as in `mscn_fully_sparse.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.celeba import mscn_fully_sparse

VARIANTS = mscn_fully_sparse.VARIANTS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """`mscn_fully_sparse.py` at a size for two CPU cores, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  return full_weights.on_two_cores(mscn_fully_sparse.get_config(variant))
