"""A latent that modulates the readout of a learned basis of clips.

  python -m experiments.ucf101
      --config=experiments/configs/ucf101/basis_cpu.py:64
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=CLIPS

The part after the colon is the number of values stored per block: 32, 64, 128.
Not in the papers: see `experiments/configs/kodak/basis_cpu.py`; here the basis
begins from the principal components of the training blocks.
Made for the four clips of `functa_cpu.py`; the codec takes files of any size.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights, grids
from experiments.configs.ucf101 import functa_cpu

VARIANTS = ("32", "64", "128")


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """What differs from `functa_cpu.py`, locked.

  Args:
    variant: length of the latent vector.
  """
  full_weights.checked(variant, VARIANTS)
  config = functa_cpu.get_config()
  with config.unlocked():
    grids.begin_from_basis(config, int(variant))
    config.start.num_signals = 10_000
  return config
