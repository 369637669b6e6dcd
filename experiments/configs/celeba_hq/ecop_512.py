"""ECoP and what it is compared with on CelebA-HQ at 512 x 512.

  python -m experiments.celeba_hq
      --config=experiments/configs/celeba_hq/ecop_512.py:ecop
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA_HQ]

The part after the colon is a method of `experiments/configs/long_horizon.py`.
Hardware and time: one RTX 3090, or an A100 with 40 GB (A.2); the time is not
given.
Published: 33.42 dB and SSIM 0.874; Learnit 32.16 and 0.851; random_init
19.71 and 0.636; transinr 28.27 and 0.798 (table 1).
"""

from ml_collections import config_dict

from experiments.configs import long_horizon

VARIANTS = long_horizon.METHODS


def source(side: int) -> config_dict.ConfigDict:
  """The section `data.source`: what `experiments.celeba_hq.load` is given.

  Args:
    side: of the images.
  """
  return config_dict.create(
    tfds=f"celeb_a_hq/{side}",  # Read where there is no --data_dir.
    held_out=3000,  # The last images, for testing (A.1).
    resize_to=(side, side),  # Height and width.
  )


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  return long_horizon.make(
    variant,
    source=source(512),
    side=512,
    batch_size=1,  # Not given.
    point_tile=2**16,
  )
