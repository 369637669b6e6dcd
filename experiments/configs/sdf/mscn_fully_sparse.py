"""Fully sparse MSCN on SDF (Schwarz & Teh, 2022, appendix C).

  python -m experiments.sdf
      --config=experiments/configs/sdf/mscn_fully_sparse.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=FOLDER]

Gates on the weights themselves and not on their changes. The part after the
colon says how few weights there are: as many as that number of rounds of
pruning leaves: 4, 8, 12, 15, 20.
Hardware and time: one V100; the paper gives no time.
Published: figure 10: below sparse changes and above Meta-SparseINR, without
numbers.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.sdf import source

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
