"""COIN++ on LibriSpeech (thesis 5.3.2 and C.3.5).

  python -m experiments.librispeech
      --config=experiments/configs/librispeech/coinpp.py:128-200
      --workdir=DIR --mode=train --mode=evaluate --data_dir=LIBRISPEECH

The part after the colon is the length of the latent vector and the samples of a
patch: 128-1600, 128-800, 128-400, 128-200, 256-200.
Hardware and time: one GPU; 445k steps, 890k for the last (the thesis gives no
time).
Published as figure 5.13; not measured here.
"""

from ml_collections import config_dict

from experiments.configs import grids, speech

VARIANTS = tuple(speech.NUM_STEPS)


def get_config(variant: str = "128-200") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: values stored per patch and samples of a patch.
  """
  config = grids.base(speech.num_values(variant))
  speech.of_utterances(config, variant)
  return config.lock()
