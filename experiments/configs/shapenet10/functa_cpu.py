"""Functa on voxel models, small enough for two CPU cores.

  python -m experiments.shapenet10
      --config=experiments/configs/shapenet10/functa_cpu.py:32
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=VOXELS

The part after the colon is the number of values stored per block: 16, 32, 64.
Made for `train.npz` and `test.npz` of 170 and 69 models, in cubes of 32 x 32 x
32 cells and blocks of 16 x 16 x 16.
Hardware and time: two CPU cores, minutes.
Measured in docs/results/signals.md.
"""

from ml_collections import config_dict

from experiments.configs import voxels
from experiments.configs.shapenet10 import functa

VARIANTS = voxels.SMALL


def get_config(variant: str = "32") -> config_dict.ConfigDict:
  """What differs from `functa.py`, locked.

  Args:
    variant: number of values stored per block.
  """
  config = functa.get_config()
  voxels.on_two_cores(config, variant)
  return config
