"""The images of `ecop.py` for what two CPU cores trained on clips.

  python -m experiments.stills
      --config=experiments/configs/stills/ecop_cpu.py:ecop
      --trained_in=RUN --workdir=DIR --mode=evaluate --data_dir=IMAGES

RUN is the working folder of `ucf101/ecop_cpu.py`, with the same method after
the colon. Images have 32 x 32 pixels.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs import clips, full_weights
from experiments.configs.stills import ecop
from experiments.configs.ucf101 import ecop_cpu

VARIANTS = clips.FROM_ONE_START


def get_config(variant: str = "ecop") -> config_dict.ConfigDict:
  """What differs from `ucf101/ecop_cpu.py`, locked.

  Args:
    variant: a method.
  """
  method = full_weights.checked(variant, VARIANTS)
  config = ecop_cpu.get_config(method)
  with config.unlocked():
    config.data.source = ecop.source((32, 32))
    config.signal.sides = (1, 32, 32)
    config.evaluate.update(num_signals=8, num_validation_signals=4)
  return config
