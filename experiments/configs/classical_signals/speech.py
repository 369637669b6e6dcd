"""MP3, Opus and FLAC on the utterances that LibriSpeech's codecs are tested on.

  python -m experiments.classical_signals
      --config=experiments/configs/classical_signals/speech.py:all
      --workdir=DIR --mode=evaluate --data_dir=DIR_OF_SPEECH

The part after the colon is one codec, or all: mp3 (`apt-get install lame`),
opus (`apt-get install opus-tools`), flac (needs soundfile). Settings are
kilobits a second.
Hardware and time: one CPU core, a second an utterance.
"""

from typing import Any

from ml_collections import config_dict

from experiments.configs import classical_signals as base
from experiments.configs.librispeech import coinpp
from inrjax.evaluate import audio_codecs

_MP3 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 128, 160)
_OPUS = (6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128)
_CODECS = {
  "mp3": base.codec("mp3", "MP3", _MP3),
  "opus": base.codec("opus", "Opus", _OPUS),
  "flac": base.codec("flac", "FLAC", (1.0,)),
}
VARIANTS = ("all", *_CODECS)


def of_learned(learned: Any, variant: str) -> config_dict.ConfigDict:
  """The test sounds of a learned codec's config, locked.

  Args:
    learned: of `configs/librispeech`.
    variant: "all", or one codec.
  """
  return base.config(
    variant,
    _CODECS,
    data_set="librispeech",
    source=learned.data.source,
    num_signals=learned.evaluate.num_signals,
    kind="audio",
    value_range=audio_codecs.INT16_RANGE,
    rate=learned.signal.sample_rate,
  )


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all", or one codec.
  """
  return of_learned(coinpp.get_config(), variant)
