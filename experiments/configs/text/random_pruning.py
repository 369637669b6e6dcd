"""Random pruning on rendered text (Lee et al., 2021).

  python -m experiments.text
      --config=experiments/configs/text/random_pruning.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=FOLDER]

Meta-SparseINR with chance in place of magnitudes. The part after the colon is
"all": one run goes through all rounds.
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
  return full_weights.meta_sparse_inr(source=source(), score="chance")
