"""Meta-SparseINR, Fourier features, on CelebA (Lee et al., 2021, app. B).

  python -m experiments.celeba
      --config=experiments/configs/celeba/meta_sparse_inr_ffn.py
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CELEBA]

The part after the colon is "all": one run goes through all 20 rounds.
Hardware and time: eight RTX 2080 in the paper, which gives no time.
Published: 24.88 dB at 80 % of the weights, 23.91 at 41.0 %, 21.19 at 21.0 %,
18.41 at 10.74 %; 25.41 dense (table 1).
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.celeba import source

VARIANTS = full_weights.ALL


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all".
  """
  full_weights.checked(variant, VARIANTS)
  return full_weights.with_fourier_features(
    full_weights.meta_sparse_inr(source=source(), score="magnitude")
  )
