"""What the configs of climate fields have in common."""

from ml_collections import config_dict

from experiments.configs import grids

# Values stored per signal, on two cores.
SMALL = ("4", "8", "16", "64")


def of_temperature(
  config: config_dict.ConfigDict,
  *,
  stride: int,
  batch_size: int,
  num_steps: int,
) -> None:
  """ERA5's near-surface temperature (COIN++, C.3.4).

  Args:
    config: of `grids.base`, changed in place, unlocked.
    stride: of 721 x 1440 points, where --data_dir is netCDF.
    batch_size: fields, over all devices.
    num_steps: outer steps.
  """
  config.signal = grids.section(
    kinds=("field",),
    sides=config_dict.placeholder(tuple),  # A field is one signal.
    value_range=(202.66, 320.93),  # Kelvin that become 0 and 1.
    unit="K",
  )
  config.data.source = grids.section(
    variable="t2m",
    stride=stride,  # Of 721 x 1440 points, where --data_dir is netCDF.
    held_out=2420,  # The last fields of a netCDF file, for testing.
    # Rows and columns of one grid for several files; None: as they are.
    regrid=config_dict.placeholder(tuple),
  )
  config.data.pipeline.batch_size = batch_size
  config.train.num_steps = num_steps
  config.network.in_dim = 3


def on_two_cores(config: config_dict.ConfigDict, variant: str) -> None:
  """110 annual means in 32 x 64 points, the last 20 of them for testing.

  Args:
    config: of `of_temperature`, locked.
    variant: number of values stored per signal, of `SMALL`.
  """
  if variant not in SMALL:
    raise ValueError(f"variant {variant!r} is not one of {[*SMALL]}")
  grids.shrink(config, variant)
  with config.unlocked():
    config.signal.value_range = (202.0, 314.0)
    config.data.source.update(variable="TREFHT", stride=2, held_out=20)
    config.data.pipeline.batch_size = 8
    config.network.w0 = 20.0
