"""Functa on ERA5, 181 x 360 (MSCN, tables 1 and 8).

  python -m experiments.era5
      --config=experiments/configs/era5/functa.py:64
      --workdir=DIR --mode=train --mode=evaluate --data_dir=FIELDS

The part after the colon is the length of the latent vector: 64, 128, 256, 512,
1024.
Hardware and time: two V100; the papers give neither steps nor time.
Published: 43.2, 43.7, 43.8, 44.0, 44.1 dB, unquantised (table 1).
"""

from ml_collections import config_dict

from experiments.configs import fields, grids

VARIANTS = ("64", "128", "256", "512", "1024")


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: length of the latent vector.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = grids.with_functa(grids.base(int(variant)))
  fields.of_temperature(
    config,
    stride=4,
    batch_size=4,  # Two on each of two devices.
    num_steps=500000,  # Not given.
  )
  return config.lock()
