"""Learnit in narrow dense networks on Imagenette (Lee et al., 2021).

  python -m experiments.imagenette
      --config=experiments/configs/imagenette/dense_narrow.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENETTE]

The part after the colon says how narrow (eq. 6): with the weights that so many
rounds of pruning leave, or slightly more: 4, 8, 12, 15, 20.
Hardware and time: eight RTX 2080 in the paper, which gives no time.
Published: figure 2 (b), without numbers.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.imagenette import source

VARIANTS = full_weights.ROUNDS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  rounds = int(full_weights.checked(variant, VARIANTS))
  return full_weights.dense_narrow(source=source(), rounds=rounds, trained=True)
