"""MP3, Opus and FLAC on the utterances of the test on two cores.

  python -m experiments.classical_signals
      --config=experiments/configs/classical_signals/speech_cpu.py:all
      --workdir=DIR --mode=evaluate --data_dir=DIR_OF_SPEECH

As `speech.py`, on all utterances below `test`.
Hardware and time: one CPU core, seconds.
"""

from ml_collections import config_dict

from experiments.configs.classical_signals import speech
from experiments.configs.librispeech import coinpp_cpu

VARIANTS = speech.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all", or one codec.
  """
  return speech.of_learned(coinpp_cpu.get_config(), variant)
