"""COIN++ on ERA5, 46 x 90 (thesis 5.3.2 and C.3.4).

  python -m experiments.era5
      --config=experiments/configs/era5/coinpp.py:8
      --workdir=DIR --mode=train --mode=evaluate --data_dir=FIELDS

The part after the colon is the length of the latent vector: 4, 8, 12.
Hardware and time: one GPU; 210k steps of 32 fields (the thesis gives no time).
Published as figure 5.11; not measured here.
"""

from ml_collections import config_dict

from experiments.configs import fields, grids

VARIANTS = ("4", "8", "12")


def get_config(variant: str = "8") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: length of the latent vector.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = grids.base(int(variant))
  fields.of_temperature(
    config,
    stride=16,
    batch_size=32,
    num_steps=210000,  # 800 epochs.
  )
  config.network.width = 384
  return config.lock()
