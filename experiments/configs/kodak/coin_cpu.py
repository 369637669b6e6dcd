"""COIN on photographs, small enough for two CPU cores.

  python -m experiments.kodak
      --config=experiments/configs/kodak/coin_cpu.py:0.07
      --workdir=DIR --mode=evaluate
      [--kodak_dir=KODAK]

The part after the colon is bits per pixel at 16 bits a weight: 0.07, 0.15.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs.kodak import coin

VARIANTS = ("0.07", "0.15")


def get_config(variant: str = "0.07") -> config_dict.ConfigDict:
  """What differs from `coin.py`, locked.

  Args:
    variant: bits per pixel at 16 bits a weight.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = coin.get_config(variant)
  with config.unlocked():
    config.data.source.tfds = config_dict.placeholder(str)
    # A higher rate makes up for some of the missing steps.
    config.fit.update(num_steps=500, learning_rate=2e-3, images_per_call=1)
    config.evaluate.num_images = 2
  return config
