"""Networks of single images, pruned before they are fitted, SIREN.

  python -m experiments.kodak
      --config=experiments/configs/kodak/pruned_at_start.py
      --workdir=DIR --mode=evaluate [--kodak_dir=KODAK]

SNIP, ProsPr, magnitudes and chance choose what stays of the random start of
each image's network (sections 3.2 and 3.3 of Alizadeh's thesis); pruning while
it is fitted is beside them. The part after the colon is "all".
Hardware and time: not given, the thesis has no such experiment.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.kodak import squares

VARIANTS = full_weights.ALL


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all".
  """
  full_weights.checked(variant, VARIANTS)
  return full_weights.pruned_at_start(source=squares())
