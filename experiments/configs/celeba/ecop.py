"""ECoP and what it is compared with on CelebA at 178 x 178.

  python -m experiments.celeba
      --config=experiments/configs/celeba/ecop.py:ecop
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon is a method of `experiments/configs/long_horizon.py`.
Hardware and time: one RTX 3090 (A.2); the time is not given.
Published: 40.54 dB, SSIM 0.975 and LPIPS 0.005, 40.21 dB with gradients scaled
by their losses (B.2); Learnit 38.28, 0.964 and 0.010; random_init 19.94, 0.532
and 0.708; transinr 32.37, 0.913 and 0.068 (table 1), after as many steps 34.12,
0.932 and 0.046 (table 7); fomaml 25.85, 0.669 and 0.342; reptile 33.41, 0.918
and 0.084 (table 5).
"""

from ml_collections import config_dict

from experiments.configs import long_horizon
from experiments.configs.celeba import source

VARIANTS = long_horizon.METHODS


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  images = source()  # Nothing is resampled (A.1): 178 is the pictures' width.
  return long_horizon.make(
    variant,
    source=images,
    side=images.get_ref("side"),
    channels=images.get_ref("channels"),
  )
