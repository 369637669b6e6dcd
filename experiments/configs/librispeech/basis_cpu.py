"""A latent that modulates the readout of a learned basis of sound.

  python -m experiments.librispeech
      --config=experiments/configs/librispeech/basis_cpu.py:128
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=LIBRISPEECH

The part after the colon is the number of values stored per block: 64, 128.
Not in the papers: see `experiments/configs/kodak/basis_cpu.py`; here the basis
begins from the principal components of the training blocks.
Made for 130 utterances in blocks of 200 samples.
Hardware and time: two CPU cores, minutes.
Measured in docs/results/signals.md.
"""

from ml_collections import config_dict

from experiments.configs import grids
from experiments.configs.librispeech import functa_cpu

VARIANTS = ("64", "128")


def get_config(variant: str = "128") -> config_dict.ConfigDict:
  """What differs from `functa_cpu.py`, locked.

  Args:
    variant: length of the latent vector.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = functa_cpu.get_config()
  with config.unlocked():
    grids.begin_from_basis(config, int(variant))
    config.start.num_signals = 16000
  return config
