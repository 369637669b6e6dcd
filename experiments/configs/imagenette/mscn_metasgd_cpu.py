"""MSCN with Meta-SGD on Imagenette, for two CPU cores.

  python -m experiments.imagenette
      --config=experiments/configs/imagenette/mscn_metasgd_cpu.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENETTE]

The part after the colon is as in `mscn_metasgd.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.imagenette import mscn_metasgd

VARIANTS = mscn_metasgd.VARIANTS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """`mscn_metasgd.py` at a size for two CPU cores, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  config = full_weights.on_two_cores(mscn_metasgd.get_config(variant))
  # The papers' part of the shorter edge.
  config.data.source.resize_to = 72
  return config
