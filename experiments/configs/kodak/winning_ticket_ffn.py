"""Winning tickets on Kodak, Fourier features (Lee et al., 2021, section 5.3).

  python -m experiments.kodak
      --config=experiments/configs/kodak/winning_ticket_ffn.py
      --workdir=DIR --mode=evaluate [--kodak_dir=KODAK]

A network is trained on one image, pruned by 20 %, rewound to its random start
and trained again, for 20 rounds. The part after the colon is "all": one run
goes through all of them. `scratch_ffn.py` is what it is compared with.
Hardware and time: eight RTX 2080 in the paper, which gives no time.
Published: figure 5 (b), without numbers.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.kodak import squares

VARIANTS = full_weights.ALL


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: "all".
  """
  full_weights.checked(variant, VARIANTS)
  return full_weights.with_fourier_features(
    full_weights.winning_ticket(source=squares())
  )
