"""Narrow dense networks from scratch on CelebA (Lee et al., 2021).

  python -m experiments.celeba
      --config=experiments/configs/celeba/scratch.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

As `dense_narrow.py`, from the random initialisation. The part after the colon
says how narrow: 4, 8, 12, 15, 20.
Hardware and time: nothing is meta-learned; minutes on a GPU.
Published: figure 2 (a), without numbers.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.celeba import source

VARIANTS = full_weights.ROUNDS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  rounds = int(full_weights.checked(variant, VARIANTS))
  return full_weights.dense_narrow(
    source=source(), rounds=rounds, trained=False
  )
