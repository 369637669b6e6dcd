"""Functa on scenes of voxel models, small enough for two CPU cores.

  python -m experiments.srn_cars
      --config=experiments/configs/srn_cars/functa_cpu.py:64
      --workdir=DIR --mode=train --mode=evaluate --data_dir=SCENES

The part after the colon is the number of values stored per scene: 16, 32, 64,
128.
SCENES is made of the data pack's voxel models, 20 views of 32 x 32 of each:

  for split in train test; do python -m experiments.render_voxels
      --voxels=DIR/$split.npz --split=$split --size=32 --out=SCENES; done

Hardware and time: two CPU cores, minutes.
Not measured yet.
"""

from ml_collections import config_dict

from experiments.configs import scenes
from experiments.configs.srn_cars import functa

VARIANTS = scenes.SMALL


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """What differs from `functa.py`, locked.

  Args:
    variant: number of values stored per scene.
  """
  config = functa.get_config()
  scenes.on_two_cores(config, variant)
  return config
