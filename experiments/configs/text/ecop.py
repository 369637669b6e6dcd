"""ECoP and what it is compared with on rendered text at 178 x 178.

  python -m experiments.text
      --config=experiments/configs/text/ecop.py:ecop
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=DIR]

The part after the colon is a method of `experiments/configs/long_horizon.py`.
Hardware and time: one RTX 3090 (A.2); the time is not given.
Published: 33.11 dB and SSIM 0.968; Learnit 30.31 and 0.956; random_init
15.73 and 0.574; transinr 22.70 and 0.898 (table 1).
"""

from ml_collections import config_dict

from experiments.configs import long_horizon
from experiments.configs.text import source

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
  )
