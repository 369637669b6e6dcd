"""Winning tickets on Kodak, SIREN, for two CPU cores.

  python -m experiments.kodak
      --config=experiments/configs/kodak/winning_ticket_cpu.py:all
      --workdir=DIR --mode=evaluate [--kodak_dir=KODAK]

The part after the colon is as in `winning_ticket.py`.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.kodak import winning_ticket

VARIANTS = winning_ticket.VARIANTS


def get_config(variant: str = "all") -> config_dict.ConfigDict:
  """`winning_ticket.py` at a size for two CPU cores, locked.

  Args:
    variant: "all".
  """
  return full_weights.on_two_cores(winning_ticket.get_config(variant))
