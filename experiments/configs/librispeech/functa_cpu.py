"""Functa on LibriSpeech, small enough for two CPU cores.

  python -m experiments.librispeech
      --config=experiments/configs/librispeech/functa_cpu.py:16
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=LIBRISPEECH

The part after the colon is the number of values stored per patch:
16, 32, 64.
Made for 130 utterances in patches of 200 samples.
Hardware and time: two CPU cores, minutes.
Measured in docs/results/signals.md.
"""

from ml_collections import config_dict

from experiments.configs import speech
from experiments.configs.librispeech import functa

VARIANTS = speech.SMALL


def get_config(variant: str = "16") -> config_dict.ConfigDict:
  """What differs from `functa.py`, locked.

  Args:
    variant: number of values stored per patch.
  """
  config = functa.get_config()
  speech.on_two_cores(config, variant)
  return config
