"""Functa on SRN's cars, 128 x 128 (MSCN, tables 1 and 9).

  python -m experiments.srn_cars
      --config=experiments/configs/srn_cars/functa.py:64
      --workdir=DIR --mode=train --mode=evaluate --data_dir=CARS

The part after the colon is the length of the latent vector: 64, 128, 256, 512,
1024. CARS has `cars_train` and `cars_test`.
Hardware and time: eight devices; the papers give no time. Views, rays, samples
and steps are those of Functa's code.
Published: 22.4, 23.0, 23.1, 23.2, 23.1 dB, unquantised (table 1).
"""

from ml_collections import config_dict

from experiments.configs import grids, scenes

VARIANTS = ("64", "128", "256", "512", "1024")


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: length of the latent vector.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = grids.with_functa(grids.base(int(variant)))
  scenes.of_cars(config)
  return config.lock()
