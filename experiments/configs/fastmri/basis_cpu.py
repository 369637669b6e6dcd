"""A latent that modulates the readout of a learned basis of volumes.

  python -m experiments.fastmri
      --config=experiments/configs/fastmri/basis_cpu.py:64
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=VOLUMES

The part after the colon is the number of values stored per block: 32, 64, 128.
Not in the papers: see `experiments/configs/kodak/basis_cpu.py`; here the basis
begins from the principal components of the training blocks.
Made for the seven volumes of `functa_cpu.py`.
Hardware and time: two CPU cores, minutes.
Measured in docs/results/signals.md.
"""

from ml_collections import config_dict

from experiments.configs import full_weights, grids
from experiments.configs.fastmri import functa_cpu

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
    config.start.num_signals = 8000
  return config
