"""COIN on CIFAR-10, small enough for two CPU cores.

  python -m experiments.cifar10
      --config=experiments/configs/cifar10/coin_cpu.py:5.8
      --workdir=DIR --mode=evaluate
      --data_dir=CIFAR10

The part after the colon is bits per pixel at 16 bits a weight: 3.6, 5.8, 8.5.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs.cifar10 import coin

VARIANTS = ("3.6", "5.8", "8.5")


def get_config(variant: str = "5.8") -> config_dict.ConfigDict:
  """What differs from `coin.py`, locked.

  Args:
    variant: bits per pixel at 16 bits a weight.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = coin.get_config(variant)
  with config.unlocked():
    # A higher rate makes up for some of the missing steps.
    config.fit.update(num_steps=2000, learning_rate=2e-3, images_per_call=50)
    config.evaluate.num_images = 50
  return config
