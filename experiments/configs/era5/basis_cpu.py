"""A latent that modulates the readout of a learned basis on the sphere.

  python -m experiments.era5
      --config=experiments/configs/era5/basis_cpu.py:32
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=FIELDS.nc

The part after the colon is the number of values stored per field: 16, 32, 64.
Not in the papers: see `experiments/configs/kodak/basis_cpu.py`; here the basis
begins from the principal components of the training fields.
Made for the 110 annual means of `trefht_ccm_ensemble57_1890-1999_annual.nc`, in
32 x 64 points, the last 20 of them for testing.
Hardware and time: two CPU cores, minutes.
Measured in docs/results/signals.md.
"""

from ml_collections import config_dict

from experiments.configs import grids
from experiments.configs.era5 import functa_cpu

VARIANTS = ("16", "32", "64")


def get_config(variant: str = "32") -> config_dict.ConfigDict:
  """What differs from `functa_cpu.py`, locked.

  Args:
    variant: length of the latent vector.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = functa_cpu.get_config()
  with config.unlocked():
    grids.begin_from_basis(config, int(variant))
    config.start.num_signals = 90
  return config
