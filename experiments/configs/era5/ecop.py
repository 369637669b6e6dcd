"""ECoP and what it is compared with on ERA5, 181 x 360.

  python -m experiments.era5
      --config=experiments/configs/era5/ecop.py:ecop
      --workdir=DIR --mode=train --mode=evaluate --data_dir=FIELDS

The part after the colon is a method of `experiments/configs/long_horizon.py`.
Hardware and time: one RTX 3090 (A.2); the time is not given.
Published: 74.10 dB; Learnit 64.91 (table 3).
"""

from ml_collections import config_dict

from experiments.configs import fields, grids, long_signals

VARIANTS = long_signals.METHODS


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  known = grids.base(1)
  fields.of_temperature(known, stride=4, batch_size=8, num_steps=1)
  config = long_signals.make(
    variant, signal=known.signal, source=known.data.source, in_dim=3
  )
  config.network.w0 = 50.0  # "For the manifold dataset."
  return config.lock()
