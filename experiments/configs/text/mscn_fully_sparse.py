"""Fully sparse MSCN on rendered text (Schwarz & Teh, 2022, appendix C).

  python -m experiments.text
      --config=experiments/configs/text/mscn_fully_sparse.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=FOLDER]

Gates on the weights themselves and not on their changes. The part after the
colon says how few weights there are: as many as that number of rounds of
pruning leaves: 4, 8, 12, 15, 20.
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
  return full_weights.mscn(
    source=source(), rounds=rounds, meta_sgd=True, on="values"
  )
