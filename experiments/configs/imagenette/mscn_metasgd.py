"""MSCN with Meta-SGD on Imagenette (Schwarz & Teh, 2022, table 5).

  python -m experiments.imagenette
      --config=experiments/configs/imagenette/mscn_metasgd.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENETTE]

The part after the colon says how few weights are adapted: as many as that
number of rounds of pruning leaves: 4, 8, 12, 15, 20; or lambda_0.01, one of the
table's.
Hardware and time: one V100; the paper gives no time.
Published: figure 3, without numbers.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.imagenette import source

# The lambdas of table 5.
VARIANTS = (
  *full_weights.ROUNDS,
  *full_weights.lambdas(
    "0.04", "0.01", "0.007", "0.004", "0.0001", "0.0007", "0.0004"
  ),
)


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: rounds of pruning that leave as many, or a lambda.
  """
  wanted = full_weights.sparsity(variant, VARIANTS)
  return full_weights.mscn(source=source(), **wanted, meta_sgd=True)
