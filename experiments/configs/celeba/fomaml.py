"""First-order MAML on CelebA.

  python -m experiments.celeba
      --config=experiments/configs/celeba/fomaml.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon is "all". As `learnit.py`, but no second derivatives.
Hardware and time: as `learnit.py`, and less of both.
Published: nothing.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.celeba import source

VARIANTS = full_weights.ALL


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all".
  """
  full_weights.checked(variant, VARIANTS)
  return full_weights.fomaml(source=source())
