"""ECoP and what it is compared with on AFHQ at 512 x 512.

  python -m experiments.afhq
      --config=experiments/configs/afhq/ecop.py:ecop
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=AFHQ

The part after the colon is a method of `experiments/configs/long_horizon.py`.
Hardware and time: one RTX 3090, or an A100 with 40 GB (A.2); the time is not
given.
Published: 29.37 dB and SSIM 0.784; Learnit 28.58 and 0.751; random_init
18.57 and 0.488; transinr 23.43 and 0.592 (table 1).
"""

from ml_collections import config_dict

from experiments.configs import long_horizon
from experiments.configs.afhq import source

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
    batch_size=1,  # Not given.
    point_tile=2**16,
  )
