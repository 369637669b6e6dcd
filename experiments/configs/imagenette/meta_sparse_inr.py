"""Meta-SparseINR on Imagenette (Lee et al., 2021, algorithm 1).

  python -m experiments.imagenette
      --config=experiments/configs/imagenette/meta_sparse_inr.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENETTE]

The part after the colon is "all": one run goes through all 20 rounds, and
evaluation measures the end of each.
Hardware and time: eight RTX 2080 in the paper, which gives no time.
Published: figure 2 (b), without numbers.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.imagenette import source

VARIANTS = full_weights.ALL


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all".
  """
  full_weights.checked(variant, VARIANTS)
  return full_weights.meta_sparse_inr(source=source(), score="magnitude")
