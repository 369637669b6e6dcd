"""ECoP around Functa on blocks of clips, for two CPU cores; no paper has it.

  python -m experiments.ucf101
      --config=experiments/configs/ucf101/modulated_ecop_cpu.py:ecop_functa
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=CLIPS

The part after the colon: `functa` is that of `functa_cpu.py:16`, fitted at test
time with as many steps as the other; `ecop_functa` sees a quarter of the points
at each of four times as many inner steps, with bootstrapped targets (Tack et
al., 2023), which takes the same memory. Its model compresses clips as any other
does, with gradients in the scale of training's.
Made for the four clips of `functa_cpu.py`.
Hardware and time: two CPU cores, minutes.
Not measured yet.
"""

from ml_collections import config_dict

from experiments.configs import full_weights, long_horizon
from experiments.configs.ucf101 import functa_cpu

VARIANTS = ("functa", "ecop_functa")


def get_config(variant: str = "ecop_functa") -> config_dict.ConfigDict:
  """What differs from `functa_cpu.py`, locked.

  Args:
    variant: one of `VARIANTS`.
  """
  full_weights.checked(variant, VARIANTS)
  config = functa_cpu.get_config("16")
  with config.unlocked():
    is_ecop = variant.startswith("ecop_")
    steps = long_horizon.in_equal_steps(config, is_ecop=is_ecop)
    config.evaluate.encoder.num_steps = steps
  return config
