"""ECoP around MSCN and COIN++ on pictures of 96 x 96, for two CPU cores.

  python -m experiments.celeba_hq
      --config=experiments/configs/celeba_hq/modulated_ecop_cpu.py:ecop_mscn
      --workdir=DIR --mode=train --mode=evaluate --data_dir=PICTURES

The part after the colon is as in `modulated_ecop.py`; 64 values are stored.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import full_weights
from experiments.configs.celeba_hq import coinpp_cpu, modulated_ecop, mscn_cpu

_BASES = {"mscn": mscn_cpu.get_config, "coinpp": coinpp_cpu.get_config}
VARIANTS = modulated_ecop.VARIANTS


def get_config(variant: str = "ecop_mscn") -> config_dict.ConfigDict:
  """What differs from `modulated_ecop.py`, locked.

  Args:
    variant: one of `VARIANTS`.
  """
  base = full_weights.checked(variant, VARIANTS).removeprefix("ecop_")
  config = _BASES[base]("64")
  with config.unlocked():
    config.data.source.resize_to = (96, 96)
    config.signal.side = 96
    config.data.pipeline.batch_size = 4
    config.outer.task_tile = 1
    config.evaluate.update(num_validation_signals=4, signals_per_call=4)
    config.evaluate.quantise.num_training_signals = 40
    config.export.num_images = 40
  return modulated_ecop.around(config, variant)
