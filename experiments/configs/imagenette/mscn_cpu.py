"""MSCN with a fixed inner rate on Imagenette, for two CPU cores.

  python -m experiments.imagenette
      --config=experiments/configs/imagenette/mscn_cpu.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENETTE]

The part after the colon is as in `mscn.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.imagenette import mscn

VARIANTS = mscn.VARIANTS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """`mscn.py` at a size for two CPU cores, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  config = full_weights.on_two_cores(mscn.get_config(variant))
  # The papers' part of the shorter edge.
  config.data.source.resize_to = 72
  return config
