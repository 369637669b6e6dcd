"""A small hyperprior on photographs, for two CPU cores.

  python -m experiments.clic
      --config=experiments/configs/clic/hyperprior_cpu.py:1e-3
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      [--data_dir=PHOTOGRAPHS] [--kodak_dir=KODAK]

The part after the colon is beta, the weight of the rate: 3e-3, 1e-3, 2.5e-4,
1e-4.
Hardware and time: one CPU core, 25 minutes (7 steps a second); longer is
better, and `--begin_from=MODEL` goes on from a model of this or another beta.
Measured here, of 1e-3 after several such trainings: 31.17 dB at 0.540 bpp on
Kodak 1-12 (`inrjax/pretrained/hyperprior.md`).
"""

import dataclasses

from ml_collections import config_dict

from experiments.configs.clic import hyperprior as base
from inrjax.networks import hyperprior

VARIANTS = tuple(base.VARIANTS)


def get_config(variant: str = "1e-3") -> config_dict.ConfigDict:
  """What differs from `hyperprior.py`, locked.

  Args:
    variant: beta.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = base.get_config(variant)
  with config.unlocked():
    config.network.update(dataclasses.asdict(hyperprior.small()))
    # The photographs that come with scikit-image, where there is no --data_dir.
    config.data.source.tfds = config_dict.placeholder(str)
    # Crops of the paper's size: of smaller ones the zeros around them are a
    # large part, and whole images become dearer.
    config.data.pipeline.update(
      batch_size=2,
      augment=("flip", "transpose"),
      cache_bytes=2**30,
      read_threads=1,
    )
    config.train.update(
      num_steps=10_000, checkpoint_every=500, log_every=20, evaluate_every=500
    )
    # A higher rate makes up for some of the missing steps. What it reaches
    # swings by decibels, so that more of the steps are taken at the paper's.
    # At first all gradients are larger than this, so that each is scaled; later
    # norms are about 0.01, and a fifth are clipped. 1500 steps from the start
    # leave 0.62 to 0.68 of the validation loss of a norm of 1 (3 seeds).
    config.outer.update(
      learning_rate=5e-4, clip_norm=0.02, drop_at=0.7, drop_factor=0.2
    )
    config.evaluate.num_validation_crops = 8
  return config
