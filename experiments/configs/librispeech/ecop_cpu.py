"""ECoP and what it is compared with on speech, for two CPU cores.

  python -m experiments.librispeech
      --config=experiments/configs/librispeech/ecop_cpu.py:ecop-1
      --workdir=DIR --mode=train --mode=evaluate --data_dir=LIBRISPEECH

The part after the colon is as in `ecop.py`, but an eighth of that time is taken
of each utterance.
Made for 130 utterances.
Hardware and time: two CPU cores, minutes.
Not measured yet.
"""

from ml_collections import config_dict

from experiments.configs import long_signals
from experiments.configs.librispeech import ecop

VARIANTS = ecop.VARIANTS


def get_config(variant: str = "ecop-1") -> config_dict.ConfigDict:
  """What differs from `ecop.py`, locked.

  Args:
    variant: a method and the seconds of a signal, of which an eighth is taken.
  """
  config = ecop.get_config(variant)
  long_signals.on_two_cores(config)
  with config.unlocked():
    config.signal.sides = (config.signal.sides[0] // 8,)
    config.signal.update(low=-6.25, high=6.25)  # As dense as in seconds.
    config.data.source.update(
      seconds=config.data.source.seconds / 8, held_out=10
    )
  return config
