"""The ablations of `ablations.py`, for two CPU cores.

  python -m experiments.xiph
      --config=experiments/configs/xiph/ablations_cpu.py:decoder_1e-3
      --model=MODEL --data_dir=CLIP --workdir=DIR
      --mode=train --mode=evaluate

Hardware and time: as `adapted_cpu.py`.
Measured here: `docs/results/instance_adaptive.md`.
"""

from ml_collections import config_dict

from experiments.configs.xiph import ablations, adapted_cpu

VARIANTS = ablations.VARIANTS


def get_config(variant: str = "decoder_1e-3") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: the case, and beta.
  """
  return ablations.changed(variant, adapted_cpu.get_config)
