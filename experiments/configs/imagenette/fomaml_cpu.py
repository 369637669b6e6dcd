"""First-order MAML on Imagenette, for two CPU cores.

  python -m experiments.imagenette
      --config=experiments/configs/imagenette/fomaml_cpu.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENETTE]

The part after the colon is as in `fomaml.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.imagenette import fomaml

VARIANTS = fomaml.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """`fomaml.py` at a size for two CPU cores, locked.

  Args:
    variant: "all".
  """
  config = full_weights.on_two_cores(fomaml.get_config(variant))
  # The papers' part of the shorter edge.
  config.data.source.resize_to = 72
  return config
