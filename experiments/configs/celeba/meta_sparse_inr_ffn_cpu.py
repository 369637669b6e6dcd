"""Meta-SparseINR, Fourier features, on CelebA, for two CPU cores.

  python -m experiments.celeba
      --config=experiments/configs/celeba/meta_sparse_inr_ffn_cpu.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon is as in `meta_sparse_inr_ffn.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.celeba import meta_sparse_inr_ffn

VARIANTS = meta_sparse_inr_ffn.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """`meta_sparse_inr_ffn.py` at a size for two CPU cores, locked.

  Args:
    variant: "all".
  """
  return full_weights.on_two_cores(meta_sparse_inr_ffn.get_config(variant))
