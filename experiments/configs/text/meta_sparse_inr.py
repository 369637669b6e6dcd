"""Meta-SparseINR on rendered text (Lee et al., 2021, algorithm 1).

  python -m experiments.text
      --config=experiments/configs/text/meta_sparse_inr.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=FOLDER]

The part after the colon is "all": one run goes through all 20 rounds, and
evaluation measures the end of each.
Hardware and time: one GPU; not timed.
Published: nothing; the papers have no run on text.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.text import source

VARIANTS = full_weights.ALL


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all".
  """
  full_weights.checked(variant, VARIANTS)
  return full_weights.meta_sparse_inr(source=source(), score="magnitude")
