"""ECoP around MSCN and COIN++ on CelebA-HQ at 64 x 64; no paper has it.

  python -m experiments.celeba_hq
      --config=experiments/configs/celeba_hq/modulated_ecop.py:ecop_mscn
      --workdir=DIR --mode=train --mode=evaluate

The part after the colon: `mscn` and `coinpp` are those of `mscn.py:128` and
`coinpp.py:128`, fitted at test time with as many steps as the others;
`ecop_mscn` and `ecop_coinpp` see a quarter of the points at each of four times
as many inner steps, with bootstrapped targets (Tack et al., 2023), which takes
the same memory.
Hardware and time: as `mscn.py`.
Published: none.
"""

from ml_collections import config_dict

from experiments.configs import full_weights, long_horizon
from experiments.configs.celeba_hq import coinpp, mscn

_BASES = {"mscn": mscn.get_config, "coinpp": coinpp.get_config}
VARIANTS = ("mscn", "ecop_mscn", "coinpp", "ecop_coinpp")


def get_config(variant: str = "ecop_mscn") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: one of `VARIANTS`.
  """
  base = full_weights.checked(variant, VARIANTS).removeprefix("ecop_")
  config = _BASES[base]("128")
  return around(config, variant)


def around(
  config: config_dict.ConfigDict, variant: str
) -> config_dict.ConfigDict:
  """A config with ECoP, or its baseline, locked.

  Args:
    config: of MSCN or COIN++.
    variant: one of `VARIANTS`.
  """
  with config.unlocked():
    is_ecop = variant.startswith("ecop_")
    steps = long_horizon.in_equal_steps(config, is_ecop=is_ecop)
    config.evaluate.quantise.num_steps = steps
  return config
