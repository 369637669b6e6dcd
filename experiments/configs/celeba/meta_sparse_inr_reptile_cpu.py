"""Meta-SparseINR with Reptile on CelebA, for two CPU cores.

  python -m experiments.celeba
      --config=experiments/configs/celeba/meta_sparse_inr_reptile_cpu.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon is as in `meta_sparse_inr_reptile.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.celeba import meta_sparse_inr_reptile

VARIANTS = meta_sparse_inr_reptile.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """`meta_sparse_inr_reptile.py` at a size for two CPU cores, locked.

  Args:
    variant: "all".
  """
  return full_weights.on_two_cores(meta_sparse_inr_reptile.get_config(variant))
