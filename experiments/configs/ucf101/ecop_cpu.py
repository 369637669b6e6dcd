"""ECoP and what it is compared with on small clips, for two CPU cores.

  python -m experiments.ucf101
      --config=experiments/configs/ucf101/ecop_cpu.py:ecop
      --workdir=DIR --mode=train --mode=evaluate --data_dir=CLIPS

The part after the colon is a method of `experiments/configs/long_horizon.py`.
Made for four clips, in 32 x 32 pixels and 8 frames, three of them for training
and `carphone_pristine.mp4` for testing.
Hardware and time: two CPU cores, under an hour.
Measured here: `docs/results/long_horizons.md`.
"""

from ml_collections import config_dict

from experiments.configs import clips, full_weights, long_horizon, long_signals
from experiments.configs.ucf101 import ecop

VARIANTS = long_horizon.METHODS


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """What differs from `ecop.py`, locked.

  Args:
    variant: a method.
  """
  method = full_weights.checked(variant, VARIANTS)
  config = ecop.get_config(f"{method}-128x128x16")
  long_signals.on_two_cores(config)
  with config.unlocked():
    clips.of_four_files(config)
    config.data.source.update(num_frames=8, size=(32, 32))
    config.signal.sides = (8, 32, 32)
    config.data.pipeline.batch_size = 1
    config.inner.point_tile = None
    if config.train.num_steps:
      config.train.num_steps = 1000
    config.outer.learning_rate = 5e-4  # As of images on two cores.
    if "hypernetwork" in config:
      long_horizon.small_hypernetwork(config, patch=(2, 8, 8))
    config.evaluate.update(num_signals=1, num_validation_signals=1)
  return config
