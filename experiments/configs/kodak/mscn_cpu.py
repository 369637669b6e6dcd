"""MSCN on photographs in 16 x 16 patches, small enough for two CPU cores.

  python -m experiments.kodak
      --config=experiments/configs/kodak/mscn_cpu.py:64
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=PHOTOGRAPHS] [--kodak_dir=KODAK]

The part after the colon is the number of values stored per signal: 32, 64, 128.
Hardware and time: two CPU cores, minutes.
Measured here: 26.92 dB after 3 steps, 27.26 after 10, unquantised
(`experiments/sweeps/kodak_methods_cpu.py`, 64 values, 3000 steps, about five
minutes on one core, Kodak 1-12, two seeds).
"""

from ml_collections import config_dict

from experiments.configs.kodak import mscn

VARIANTS = ("32", "64", "128")


def get_config(variant: str = "64") -> config_dict.ConfigDict:
  """What differs from `mscn.py`, locked.

  Args:
    variant: number of values stored per signal.
  """
  if variant not in VARIANTS:
    raise ValueError(f"variant {variant!r} is not one of {[*VARIANTS]}")
  config = mscn.get_config()
  with config.unlocked():
    config.num_modulations = int(variant)
    # The photographs that come with scikit-image, where there is no --data_dir.
    config.data.source.tfds = config_dict.placeholder(str)
    config.data.source.resize_to = config_dict.placeholder(tuple)
    config.signal.side = 16
    config.network.update(depth=5, width=64, w0=20.0)
    # Meta-SGD: learned rates, from 0.1.
    config.inner.update(low=0.1, high=0.1, clip=(0.0, 1.0))
    config.gates.initial_log_alpha = 0.5
    # Not in the paper: lambda is controlled, to reach the number asked for.
    config.gates.penalty = config_dict.create(
      kind="controlled",
      target=config.get_ref("num_modulations"),
      initial=0.01,  # lambda at the start.
      gain=0.03,  # Its growth per step, in log lambda.
      damping=2.0,  # Against overshooting.
      limits=(1e-6, 1e3),
    )
    config.evaluate.max_modulations = config.get_ref("num_modulations")
    config.data.pipeline.update(
      batch_size=16,
      crops_per_image=8,
      augment=("flip", "transpose"),
      read_threads=1,
    )
    config.train.update(
      num_steps=4000,
      checkpoint_every=500,
      log_every=20,
      evaluate_every=500,
    )
    config.outer.update(
      learning_rate=3e-4, schedule="cosine", clip_norm=1.0, task_tile=8
    )
    config.outer.rate_factors.log_alpha = 100.0
    config.evaluate.update(
      num_images=None,
      num_validation_signals=64,
      signals_per_call=64,
      num_steps=(3, 10),
      ema_decays=(1.0, 0.5),
    )
    # More steps than in training are tried too, but do not serve here.
    config.evaluate.quantise.update(
      num_steps=3,
      ema_decay=1.0,
      num_training_signals=2000,
      num_bits=(3, 4, 5, 6, 7, 8),
      num_deviations=(3.0, 5.0, 9.0, 15.0),
    )
    config.export.num_images = 12
  return config
