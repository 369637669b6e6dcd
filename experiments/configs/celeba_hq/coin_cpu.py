"""COIN on faces at 64 x 64, small enough for two CPU cores.

  python -m experiments.celeba_hq
      --config=experiments/configs/celeba_hq/coin_cpu.py:1.4
      --workdir=DIR --mode=evaluate
      --data_dir=FACES

The part after the colon is bits per pixel at 16 bits a weight: 0.9, 1.4.
Hardware and time: two CPU cores, minutes.
"""

from ml_collections import config_dict

from experiments.configs.celeba_hq import coin

VARIANTS = ("0.9", "1.4")


def get_config(variant: str = "1.4") -> config_dict.ConfigDict:
  """What differs from `coin.py`, locked.

  Args:
    variant: bits per pixel at 16 bits a weight.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = coin.get_config(variant)
  with config.unlocked():
    config.data.source.held_out = 20
    # A higher rate makes up for some of the missing steps.
    config.fit.update(num_steps=1000, learning_rate=2e-3, images_per_call=20)
    config.evaluate.num_images = 20
  return config
