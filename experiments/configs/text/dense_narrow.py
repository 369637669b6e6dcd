"""Learnit in narrow dense networks on rendered text (Lee et al., 2021).

  python -m experiments.text
      --config=experiments/configs/text/dense_narrow.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=FOLDER]

The part after the colon says how narrow (eq. 6): with the weights that so many
rounds of pruning leave, or slightly more: 4, 8, 12, 15, 20.
Hardware and time: one GPU; not timed.
Published: nothing; the papers have no run on text.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.text import source

VARIANTS = full_weights.ROUNDS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  rounds = int(full_weights.checked(variant, VARIANTS))
  return full_weights.dense_narrow(source=source(), rounds=rounds, trained=True)
