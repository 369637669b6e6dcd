"""ECoP and what it is compared with on ImageNet-100 at 256 x 256.

  python -m experiments.imagenet100
      --config=experiments/configs/imagenet100/ecop.py:ecop
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=IMAGENET100

The part after the colon is a method of `experiments/configs/long_horizon.py`.
Hardware and time: one RTX 3090 (A.2); the time is not given.
Published: 31.98 dB and SSIM 0.891; Learnit 30.92 and 0.868; random_init
18.30 and 0.439; transinr 27.78 and 0.821 (table 1).
"""

from ml_collections import config_dict

from experiments.configs import long_horizon
from experiments.configs.imagenet100 import source

VARIANTS = long_horizon.METHODS


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  images = source()
  return long_horizon.make(
    variant,
    source=images,
    side=images.get_ref("side"),
    channels=images.get_ref("channels"),
    batch_size=4,  # Not given.
  )
