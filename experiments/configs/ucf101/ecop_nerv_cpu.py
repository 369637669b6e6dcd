"""ECoP and what it is compared with on small clips, with NeRV on two cores.

  python -m experiments.ucf101
      --config=experiments/configs/ucf101/ecop_nerv_cpu.py:ecop
      --workdir=DIR --mode=train --mode=evaluate --data_dir=CLIPS

The part after the colon is a method of `experiments/configs/long_horizon.py`.
Made for four clips, in 48 x 48 pixels and 8 frames, three of them for training
and `carphone_pristine.mp4` for testing.
Hardware and time: two CPU cores, minutes.
Measured here: `docs/results/long_horizons.md`.
"""

from ml_collections import config_dict

from experiments.configs import clips, full_weights, long_signals
from experiments.configs.ucf101 import ecop_nerv

VARIANTS = clips.FROM_ONE_START
_SIDE = 48


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """What differs from `ecop_nerv.py`, locked.

  Args:
    variant: a method.
  """
  method = full_weights.checked(variant, VARIANTS)
  config = ecop_nerv.get_config(f"{method}-128x128x16")
  long_signals.on_two_cores(config)
  with config.unlocked():
    clips.of_four_files(config)
    config.data.source.update(num_frames=8, size=(_SIDE, _SIDE))
    config.data.pipeline.batch_size = 1
    config.train.update(num_steps=500, checkpoint_every=250, evaluate_every=250)
    config.signal.sides = (8, _SIDE, _SIDE)
    config.network = clips.nerv_network(
      strides=(2, 2, 2), stem_size=(6, 6), stem_channels=16, stem_width=64
    )
    config.network.update(expansion=2, min_channels=12)
    # K of Learnit is 5, and that of ECoP 10.
    for section in (config.inner, config.evaluate.fit):
      section.num_steps //= 4
    # Of 0.1, 1, 3 and 10 the rate of the best fits after 200 steps; the beta
    # makes up for some of the missing ones.
    config.inner.update(low=3.0, high=3.0)
    config.outer.learning_rate = 3e-3
    config.evaluate.update(num_signals=1, num_validation_signals=1)
  return config
