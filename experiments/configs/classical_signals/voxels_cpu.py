"""Packed voxels on the shapes that codecs are tested on on two cores.

  python -m experiments.classical_signals
      --config=experiments/configs/classical_signals/voxels_cpu.py
      --workdir=DIR --mode=evaluate --data_dir=VOXELS

As `voxels.py`, for 20 of `test.npz` in cubes of 32 x 32 x 32 cells.
Hardware and time: one CPU core, seconds.
"""

from ml_collections import config_dict

from experiments.configs.classical_signals import voxels
from experiments.configs.shapenet10 import functa_cpu

VARIANTS = voxels.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all", or one codec.
  """
  return voxels.of_learned(functa_cpu.get_config(), variant)
