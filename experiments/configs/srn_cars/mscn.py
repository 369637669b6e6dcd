"""MSCN on SRN's cars, 128 x 128 (Schwarz & Teh, 2022, tables 1 and 9).

  python -m experiments.srn_cars
      --config=experiments/configs/srn_cars/mscn.py:64
      --workdir=DIR --mode=train --mode=evaluate --data_dir=CARS

The part after the colon is the number of modulations aimed at: 64, 128, 256,
512, 1024. CARS has `cars_train` and `cars_test`.
Hardware and time: eight devices; the paper gives neither steps nor time. Views,
rays, samples and steps are those of Functa's code.
Published: 22.8, 24.0, 24.3, 24.5, 24.8 dB, unquantised (table 1).
"""

from ml_collections import config_dict

from experiments.configs import grids, scenes

# Table 9: lambda by number of modulations. The paper lists 0.1, too, for none.
VARIANTS = {"64": 4.0, "128": 1.0, "256": 0.7, "512": 0.7, "1024": 0.4}


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: number of modulations aimed at.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = grids.base(int(variant), has_latent=False)
  scenes.of_cars(config)
  grids.with_mscn(config, penalty_weight=VARIANTS[variant])
  return config.lock()
