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

from experiments.configs import grids

VARIANTS = ("64", "128", "256", "512", "1024")


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: length of the latent vector.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = grids.with_functa(grids.base(int(variant)))
  config.signal = grids.section(
    kinds=("field",),
    sides=config_dict.placeholder(tuple),  # A field is one signal.
    value_range=(202.66, 320.93),  # Kelvin that become 0 and 1.
    unit="K",
  )
  config.data.source = grids.section(
    variable="t2m",
    stride=4,  # Of 721 x 1440 points, where --data_dir is netCDF.
    held_out=2420,  # The last fields of a netCDF file, for testing.
  )
  config.data.pipeline.batch_size = 4  # Two on each of two devices.
  config.train.num_steps = 500000  # Not given.
  config.network.in_dim = 3
  return config.lock()
