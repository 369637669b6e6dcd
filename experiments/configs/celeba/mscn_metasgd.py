"""MSCN with Meta-SGD on CelebA (Schwarz & Teh, 2022, table 4).

  python -m experiments.celeba
      --config=experiments/configs/celeba/mscn_metasgd.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon says how few weights are adapted: as many as that
number of rounds of pruning leaves: 4, 8, 12, 15, 20; or lambda_0.01, one of the
table's.
Hardware and time: one V100; the paper gives no time.
Published: figure 3; over 9 dB above Meta-SparseINR at its highest sparsity and
over 4 dB at its lowest.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.celeba import source

# The lambdas of table 4.
VARIANTS = (
  *full_weights.ROUNDS,
  *full_weights.lambdas("0.01", "0.007", "0.005"),
)


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: rounds of pruning that leave as many, or a lambda.
  """
  wanted = full_weights.sparsity(variant, VARIANTS)
  return full_weights.mscn(source=source(), **wanted, meta_sgd=True)
