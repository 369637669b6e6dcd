"""MSCN with Meta-SGD on rendered text, for two CPU cores.

  python -m experiments.text
      --config=experiments/configs/text/mscn_metasgd_cpu.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=FOLDER]

The part after the colon is as in `mscn_metasgd.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.text import mscn_metasgd

VARIANTS = mscn_metasgd.VARIANTS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """`mscn_metasgd.py` at a size for two CPU cores, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  return full_weights.on_two_cores(mscn_metasgd.get_config(variant))
