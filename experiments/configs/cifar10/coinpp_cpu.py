"""COIN++ on CIFAR-10, small enough for two CPU cores.

  python -m experiments.cifar10
      --config=experiments/configs/cifar10/coinpp_cpu.py:64
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=CIFAR10

The part after the colon is the number of values stored per signal: 32, 64, 128.
Hardware and time: two CPU cores, minutes.
Measured here: 20.79 dB after 3 steps, 20.97 after 10, unquantised
(`experiments/sweeps/cifar10_methods_cpu.py`, 64 values, 1500 steps, about ten
minutes on one core, 100 test images, one seed).
"""

from ml_collections import config_dict

from experiments.configs.cifar10 import coinpp

VARIANTS = ("32", "64", "128")


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """What differs from `coinpp.py`, locked.

  Args:
    variant: number of values stored per signal.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = coinpp.get_config()
  with config.unlocked():
    config.num_modulations = int(variant)
    config.network.update(depth=5, width=64, w0=20.0)
    config.inner.low = config.inner.high = 0.1  # The outer loop is short too.
    config.data.pipeline.update(
      batch_size=16,
      crops_per_image=1,
      augment=("flip",),
      read_threads=1,
    )
    config.train.update(
      num_steps=1500,
      checkpoint_every=500,
      log_every=20,
      evaluate_every=500,
    )
    config.outer.update(
      learning_rate=3e-4, schedule="cosine", clip_norm=1.0, task_tile=4
    )
    config.evaluate.update(
      num_images=100,
      num_validation_signals=64,
      signals_per_call=64,
      num_steps=(3, 10),
      ema_decays=(1.0, 0.5),
    )
    # More steps than in training are tried too, but do not serve here.
    config.evaluate.quantise.update(
      num_steps=3,
      ema_decay=1.0,
      num_training_signals=1000,
      num_bits=(3, 4, 5, 6, 7, 8),
      num_deviations=(3.0, 5.0, 9.0, 15.0),
    )
    config.export.num_images = 200
  return config
