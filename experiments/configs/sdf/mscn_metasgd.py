"""MSCN with Meta-SGD on SDF (Schwarz & Teh, 2022, table 6).

  python -m experiments.sdf
      --config=experiments/configs/sdf/mscn_metasgd.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=FOLDER]

The part after the colon says how few weights are adapted: as many as that
number of rounds of pruning leaves: 4, 8, 12, 15, 20; or lambda_0.0001, one of
the table's.
Hardware and time: one V100; the paper gives no time.
Published: figure 3, without numbers.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.sdf import source

# The lambdas of table 6.
VARIANTS = (
  *full_weights.ROUNDS,
  *full_weights.lambdas("0.0004", "0.0001", "0.00007", "0.00004", "0.00001"),
)


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: rounds of pruning that leave as many, or a lambda.
  """
  wanted = full_weights.sparsity(variant, VARIANTS)
  return full_weights.mscn(source=source(), **wanted, meta_sgd=True)
