"""Learnit in narrow dense networks on rendered text, for two CPU cores.

  python -m experiments.text
      --config=experiments/configs/text/dense_narrow_cpu.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=FOLDER]

The part after the colon is as in `dense_narrow.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.text import dense_narrow

VARIANTS = dense_narrow.VARIANTS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """`dense_narrow.py` at a size for two CPU cores, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  return full_weights.on_two_cores(dense_narrow.get_config(variant))
