"""MSCN on LibriSpeech.

  python -m experiments.librispeech
      --config=experiments/configs/librispeech/mscn.py:128-200
      --workdir=DIR --mode=train --mode=evaluate --data_dir=LIBRISPEECH

The part after the colon is the number of modulations aimed at and the samples
of a patch, those of COIN++: 128-1600, 128-800, 128-400, 128-200, 256-200.
Hardware and time: one GPU; as COIN++'s.
Published: none on speech. Gates are those of MSCN, all else is COIN++'s; lambda
is controlled, since the paper has no number.
"""

from ml_collections import config_dict

from experiments.configs import grids, speech

VARIANTS = tuple(speech.NUM_STEPS)


def get_config(variant: str = "128-200") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: values stored per patch and samples of a patch.
  """
  config = grids.with_mscn(
    grids.base(speech.num_values(variant), has_latent=False),
    penalty_weight=1.0,  # Replaced: lambda is controlled.
  )
  speech.of_utterances(config, variant)
  config.network.update(depth=10, w0=50.0)
  grids.control(config)
  return config.lock()
