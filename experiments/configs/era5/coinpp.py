"""COIN++ on ERA5, 46 x 90 (thesis 5.3.2 and C.3.4).

  python -m experiments.era5
      --config=experiments/configs/era5/coinpp.py:8
      --workdir=DIR --mode=train --mode=evaluate --data_dir=FIELDS

The part after the colon is the length of the latent vector: 4, 8, 12.
Hardware and time: one GPU; 210k steps of 32 fields (the thesis gives no time).
Published as figure 5.11; not measured here.
"""

from ml_collections import config_dict

from experiments.configs import grids

VARIANTS = ("4", "8", "12")


def get_config(variant: str = "8") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: length of the latent vector.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = grids.base(int(variant))
  config.signal = grids.section(
    kinds=("field",),
    sides=config_dict.placeholder(tuple),  # A field is one signal.
    value_range=(202.66, 320.93),  # Kelvin that become 0 and 1.
    unit="K",
  )
  config.data.source = grids.section(
    variable="t2m",
    stride=16,  # Of 721 x 1440 points, where --data_dir is netCDF.
    held_out=2420,  # The last fields of a netCDF file, for testing.
  )
  config.data.pipeline.batch_size = 32
  config.train.num_steps = 210000  # 800 epochs.
  config.network.update(in_dim=3, width=384)
  return config.lock()
