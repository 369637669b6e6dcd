"""Learnit (second-order MAML) on CelebA (Lee et al., 2021).

  python -m experiments.celeba
      --config=experiments/configs/celeba/learnit.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon is "all": evaluation prunes this start while it fits
each image (MAML+OneShot, MAML+IMP) to several levels of sparsity.
Hardware and time: eight RTX 2080 in the paper, which gives no time.
Published: the dense end of figure 2 (a), and its baselines MAML+OneShot and
MAML+IMP, without numbers.
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
  return full_weights.learnit(source=source())
