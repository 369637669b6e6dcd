"""Reptile on CelebA (Nichol et al., 2018).

  python -m experiments.celeba
      --config=experiments/configs/celeba/reptile.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

As `learnit.py`, with Reptile in place of MAML. The part after the colon is
"all".
Hardware and time: eight RTX 2080 in the paper, which gives no time.
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
  return full_weights.with_reptile(full_weights.learnit(source=source()))
