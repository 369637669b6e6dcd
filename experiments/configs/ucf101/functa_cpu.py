"""Functa on blocks of clips, small enough for two CPU cores.

  python -m experiments.ucf101
      --config=experiments/configs/ucf101/functa_cpu.py:16
      --workdir=DIR --mode=train --mode=evaluate --mode=export
      --data_dir=CLIPS

The part after the colon is the number of values stored per block: 8, 16, 32.
Not in the papers. Made for four clips in 176 x 144 pixels, cut into blocks of 4
frames of 8 x 8 pixels; 36 frames of three clips are for training, and the first
16 of `carphone_pristine.mp4` for testing.
Hardware and time: two CPU cores, minutes.
Not measured yet.
"""

from ml_collections import config_dict

from experiments.configs import clips, full_weights

VARIANTS = clips.SMALL


def get_config(variant: str = "16") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: number of values stored per block.
  """
  full_weights.checked(variant, VARIANTS)
  config = clips.of_blocks().lock()
  clips.on_two_cores(config, variant)
  return config
