"""MSCN with a fixed inner rate on Imagenette (Schwarz & Teh, 2022, table 5).

  python -m experiments.imagenette
      --config=experiments/configs/imagenette/mscn.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENETTE]

The part after the colon says how few weights are adapted: as many as that
number of rounds of pruning leaves: 4, 8, 12, 15, 20.
Hardware and time: one V100; the paper gives no time.
Published: nothing; the paper has the fixed rate on CelebA and SDF only.
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
  return full_weights.mscn(source=source(), rounds=rounds, meta_sgd=False)
