"""ECoP and what it is compared with at 1024 x 1024, for two CPU cores.

  python -m experiments.celeba_hq
      --config=experiments/configs/celeba_hq/ecop_1024_cpu.py:ecop
      --workdir=DIR --mode=train --mode=evaluate --data_dir=PICTURES

The part after the colon is a method of `experiments/configs/long_horizon.py`.
As `ecop_1024.py`, with a narrower network and few steps; the last two pictures
are for testing.
Hardware and time: two CPU cores, half an hour.
"""

from ml_collections import config_dict

from experiments.configs import full_weights, long_horizon
from experiments.configs.celeba_hq import ecop_1024

# TransINR was too large (table 1).
VARIANTS = tuple(m for m in long_horizon.METHODS if m != "transinr")


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """What differs from `ecop_1024.py`, locked.

  Args:
    variant: a method.
  """
  config = ecop_1024.get_config(full_weights.checked(variant, VARIANTS))
  long_horizon.on_two_cores(config, side=1024)
  with config.unlocked():
    config.data.source.held_out = 2
    config.inner.point_tile = 2**15
    if config.train.num_steps:
      config.train.num_steps = 150
    config.train.update(checkpoint_every=25, evaluate_every=50, log_every=5)
    config.evaluate.update(
      num_images=2,
      num_pictures=2,
      num_validation_signals=2,
      signals_per_call=1,
      checkpoints=(),
    )
  return config
