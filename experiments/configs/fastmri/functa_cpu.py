"""Functa on MRI and CT, small enough for two CPU cores.

  python -m experiments.fastmri
      --config=experiments/configs/fastmri/functa_cpu.py:16
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=VOLUMES

The part after the colon is the number of values stored per block: 4, 8, 16, 32.
Made for seven volumes in blocks of 8 x 8 x 8 voxels, `FLAIR.nii.gz` and
`stent_ct.npz` (64 x 64 x 64 voxels in the middle of each) for testing.
Hardware and time: two CPU cores, minutes.
Measured in docs/results/signals.md.
"""

from ml_collections import config_dict

from experiments.configs import volumes
from experiments.configs.fastmri import functa

VARIANTS = volumes.SMALL


def get_config(variant: str = "16") -> config_dict.ConfigDict:
  """What differs from `functa.py`, locked.

  Args:
    variant: number of values stored per block.
  """
  config = functa.get_config()
  volumes.on_two_cores(config, variant)
  return config
