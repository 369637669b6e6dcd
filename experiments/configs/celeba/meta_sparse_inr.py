"""Meta-SparseINR on CelebA (Lee et al., 2021, algorithm 1).

  python -m experiments.celeba
      --config=experiments/configs/celeba/meta_sparse_inr.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon is "all": one run goes through all 20 rounds, and
evaluation measures the end of each.
Hardware and time: eight RTX 2080 in the paper, which gives no time.
Published: 26.73 dB at 6,964 weights (15 rounds) and figure 2 (a).
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
  return full_weights.meta_sparse_inr(source=source(), score="magnitude")
