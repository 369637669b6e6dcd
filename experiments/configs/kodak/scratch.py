"""Dense narrow networks on Kodak, SIREN (Lee et al., 2021, section 5.3).

  python -m experiments.kodak
      --config=experiments/configs/kodak/scratch.py:12
      --workdir=DIR --mode=evaluate [--kodak_dir=KODAK]

Each is trained on one image from its random initialisation. The part after the
colon says how narrow, as rounds of pruning that leave as many weights: 4, 8,
12, 15, 20.
Hardware and time: eight RTX 2080 in the paper, which gives no time.
Published: figure 5 (a), without numbers.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.kodak import squares

VARIANTS = full_weights.ROUNDS


def get_config(variant: str = "12") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: rounds of pruning that leave as many.
  """
  rounds = int(full_weights.checked(variant, VARIANTS))
  return full_weights.single_images(source=squares(), rounds=rounds)
