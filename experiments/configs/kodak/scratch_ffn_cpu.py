"""Dense narrow networks on Kodak, Fourier features, for two CPU cores.

  python -m experiments.kodak
      --config=experiments/configs/kodak/scratch_ffn_cpu.py:12
      --workdir=DIR --mode=evaluate [--kodak_dir=KODAK]

The part after the colon is as in `scratch_ffn.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.kodak import scratch_ffn

VARIANTS = scratch_ffn.VARIANTS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """`scratch_ffn.py` at a size for two CPU cores, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  return full_weights.on_two_cores(scratch_ffn.get_config(variant))
