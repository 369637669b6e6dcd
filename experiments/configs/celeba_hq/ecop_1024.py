"""ECoP and what it is compared with on CelebA-HQ at 1024 x 1024.

  python -m experiments.celeba_hq
      --config=experiments/configs/celeba_hq/ecop_1024.py:ecop
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA_HQ]

The part after the colon is a method of `experiments/configs/long_horizon.py`.
Hardware and time: one A100 with 40 GB (A.2); the time is not given.
Published: 28.89 dB and SSIM 0.789; Learnit 27.66 and 0.781; random_init
12.21 and 0.574; transinr was too large (table 1).
"""

from ml_collections import config_dict

from experiments.configs import long_horizon
from experiments.configs.celeba_hq import ecop_512

VARIANTS = long_horizon.METHODS


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  return long_horizon.make(
    variant,
    source=ecop_512.source(1024),
    side=1024,
    learnit_steps=1,  # ECoP's are 4 (A.2).
    batch_size=1,  # Not given.
    point_tile=2**16,
  )
