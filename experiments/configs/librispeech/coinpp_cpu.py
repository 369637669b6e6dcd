"""COIN++ on LibriSpeech, small enough for two CPU cores.

  python -m experiments.librispeech
      --config=experiments/configs/librispeech/coinpp_cpu.py:16
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=LIBRISPEECH

The part after the colon is the number of values stored per signal:
8, 16, 32.
Made for 130 utterances in patches of 200 samples.
Hardware and time: two CPU cores, minutes.
Not measured yet.
"""

from ml_collections import config_dict

from experiments.configs import grids
from experiments.configs.librispeech import coinpp

VARIANTS = ("8", "16", "32")


def get_config(variant: str = "16") -> config_dict.ConfigDict:
  """What differs from `coinpp.py`, locked.

  Args:
    variant: number of values stored per signal.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = coinpp.get_config()
  grids.shrink(config, variant)
  with config.unlocked():
    config.signal.sides = (200,)
    config.data.source.held_out = 10
    config.data.pipeline.update(batch_size=64, crops_per_image=16)
    config.network.w0 = 30.0
    config.outer.task_tile = 32
    config.inner.update(low=0.1, high=0.1, clip=None)  # Not learned.
  return config
