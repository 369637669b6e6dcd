"""MSCN with gates on units on Imagenette (Schwarz & Teh, 2022, 3.2).

  python -m experiments.imagenette
      --config=experiments/configs/imagenette/mscn_units.py:12
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENETTE]

Whole units go, so that the network gets smaller and faster. The part after the
colon says how few units: as many as the dense network of `dense_narrow.py` has:
4, 8, 12, 15, 20.
Hardware and time: one GPU; not timed.
Published: nothing.
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
  return full_weights.mscn_units(source=source(), rounds=rounds)
