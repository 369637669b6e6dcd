"""Random pruning on Imagenette (Lee et al., 2021).

  python -m experiments.imagenette
      --config=experiments/configs/imagenette/random_pruning.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENETTE]

Meta-SparseINR with chance in place of magnitudes. The part after the colon is
"all": one run goes through all rounds.
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
  return full_weights.meta_sparse_inr(source=source(), score="chance")
