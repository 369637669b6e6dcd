"""Meta-SparseINR on rendered text, for two CPU cores.

  python -m experiments.text
      --config=experiments/configs/text/meta_sparse_inr_cpu.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=FOLDER]

The part after the colon is as in `meta_sparse_inr.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.text import meta_sparse_inr

VARIANTS = meta_sparse_inr.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """`meta_sparse_inr.py` at a size for two CPU cores, locked.

  Args:
    variant: "all".
  """
  return full_weights.on_two_cores(meta_sparse_inr.get_config(variant))
