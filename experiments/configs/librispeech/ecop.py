"""ECoP and what it is compared with on LibriSpeech.

  python -m experiments.librispeech
      --config=experiments/configs/librispeech/ecop.py:ecop-1
      --workdir=DIR --mode=train --mode=evaluate --data_dir=LIBRISPEECH

The part after the colon is a method of `experiments/configs/long_horizon.py`
and the seconds from the start of each utterance, 1 or 3.
Hardware and time: one RTX 3090 (A.2); the time is not given.
Published: 43.40 dB of one second and 36.45 dB of three; Learnit 39.55 and 31.39
(table 3).
"""

from ml_collections import config_dict

from experiments.configs import full_weights, grids, long_signals, speech

VARIANTS = tuple(
  f"{method}-{seconds}" for seconds in (1, 3) for method in long_signals.METHODS
)


def get_config(variant: str = "ecop-1") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method and the seconds of a signal.
  """
  method, seconds = full_weights.checked(variant, VARIANTS).split("-")
  known = grids.base(1)
  speech.of_utterances(known, "128-200")
  config = long_signals.make(
    method, signal=known.signal, source=known.data.source, in_dim=1
  )
  config.signal.update(
    sides=(int(seconds) * 16000,),  # All of it is one signal.
    low=-50.0,
    high=50.0,
  )
  config.data.source.seconds = float(seconds)
  config.outer.learning_rate = 3e-6
  return config.lock()
