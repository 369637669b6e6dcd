"""Networks pruned before they are fitted, SIREN, for two CPU cores.

  python -m experiments.kodak
      --config=experiments/configs/kodak/pruned_at_start_cpu.py:all
      --workdir=DIR --mode=evaluate [--kodak_dir=KODAK]

The part after the colon is as in `pruned_at_start.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.kodak import pruned_at_start

VARIANTS = pruned_at_start.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """`pruned_at_start.py` at a size for two CPU cores, locked.

  Args:
    variant: "all".
  """
  return full_weights.on_two_cores(pruned_at_start.get_config(variant))
