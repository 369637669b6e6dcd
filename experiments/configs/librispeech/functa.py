"""Functa on LibriSpeech: a latent vector with meta-SGD.

  python -m experiments.librispeech
      --config=experiments/configs/librispeech/functa.py:128-200
      --workdir=DIR --mode=train --mode=evaluate --data_dir=LIBRISPEECH

The part after the colon is the length of the latent vector and the samples of a
patch, those of COIN++: 128-1600, 128-800, 128-400, 128-200, 256-200.
Hardware and time: one GPU; as COIN++'s.
Published: none on speech. The inner rates are Functa's, all else is COIN++'s,
so that the two compare.
"""

from ml_collections import config_dict

from experiments.configs import grids

# C.3.5: latent and patch size, and steps of 64 patches.
VARIANTS = {
  "128-1600": 445000,
  "128-800": 445000,
  "128-400": 445000,
  "128-200": 445000,
  "256-200": 890000,
}


def get_config(variant: str = "128-200") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: values stored per patch and samples of a patch.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  num_values, side = (int(part) for part in variant.split("-"))
  config = grids.with_functa(grids.base(num_values))
  config.signal = grids.section(
    kinds=("audio",),
    sides=(side,),  # Samples of a block.
    low=-5.0,  # Where coordinates start,
    high=5.0,  # and end.
    sample_rate=16000,
  )
  config.data.source = grids.section(
    seconds=3.0,  # From the start of each utterance.
    rate=16000,
    held_out=500,  # Of the training utterances, for validation.
  )
  config.data.pipeline.batch_size = 64
  config.train.num_steps = VARIANTS[variant]
  config.outer.learning_rate = 1e-6
  config.network.update(depth=10, w0=50.0)
  return config.lock()
