"""ECoP and what it is compared with on Imagenette at 178 x 178.

  python -m experiments.imagenette
      --config=experiments/configs/imagenette/ecop.py:ecop
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENETTE]

The part after the colon is a method of `experiments/configs/long_horizon.py`.
Hardware and time: one RTX 3090 (A.2); the time is not given.
Published: 37.71 dB and SSIM 0.965; Learnit 35.66 and 0.950; random_init
18.57 and 0.443; transinr 28.58 and 0.850 (table 1).
"""

from ml_collections import config_dict

from experiments.configs import long_horizon
from experiments.configs.imagenette import source

VARIANTS = long_horizon.METHODS


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  images = source()
  images.resize_to = images.side  # A.1: the shorter edge is the crop's.
  return long_horizon.make(
    variant,
    source=images,
    side=images.get_ref("side"),
    channels=images.get_ref("channels"),
  )
