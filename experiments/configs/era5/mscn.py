"""MSCN on ERA5, 181 x 360 (Schwarz & Teh, 2022, tables 1 and 8).

  python -m experiments.era5
      --config=experiments/configs/era5/mscn.py:64
      --workdir=DIR --mode=train --mode=evaluate --data_dir=FIELDS

The part after the colon is the number of modulations aimed at: 64, 128, 256,
512, 1024.
Hardware and time: two V100; the paper gives neither steps nor time.
Published: 44.6, 45.7, 46.0, 46.6, 46.9 dB, unquantised (table 1).
"""

from ml_collections import config_dict

from experiments.configs import fields, grids

# Table 8: lambda by number of modulations.
VARIANTS = {"64": 1.0, "128": 0.3, "256": 0.1, "512": 0.03, "1024": 0.01}


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: number of modulations aimed at.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = grids.with_mscn(
    grids.base(int(variant), has_latent=False), penalty_weight=VARIANTS[variant]
  )
  fields.of_temperature(
    config,
    stride=4,
    batch_size=4,  # Two on each of two devices.
    num_steps=500000,  # Not given.
  )
  return config.lock()
