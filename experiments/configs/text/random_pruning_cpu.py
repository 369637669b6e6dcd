"""Random pruning on rendered text, for two CPU cores.

  python -m experiments.text
      --config=experiments/configs/text/random_pruning_cpu.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=FOLDER]

The part after the colon is as in `random_pruning.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.text import random_pruning

VARIANTS = random_pruning.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """`random_pruning.py` at a size for two CPU cores, locked.

  Args:
    variant: "all".
  """
  return full_weights.on_two_cores(random_pruning.get_config(variant))
