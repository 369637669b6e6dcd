"""What ECoP's configs of fields, speech and clips have in common.

The methods and the numbers are those of `long_horizon.py`; signals are no
images, and what is reported is PSNR.
"""

from ml_collections import config_dict

from experiments.configs import long_horizon

METHODS = long_horizon.METHODS


def make(
  method: str,
  *,
  signal: config_dict.ConfigDict,
  source: config_dict.ConfigDict,
  in_dim: int,
) -> config_dict.ConfigDict:
  """The config of a method, unlocked.

  Args:
    method: one of `METHODS`.
    signal: the section `signal`.
    source: the section `data.source`.
    in_dim: coordinates of a point.
  """
  config = long_horizon.make(
    method,
    source=source,
    side=1,  # Of images.
    channels=1,
    ratio=0.5,  # gamma: "we do not need to prune the context much" (A.2).
  )
  config.unlock()
  config.signal = signal
  config.network.in_dim = in_dim
  del config.data.pipeline["augment"]
  for name in ("num_images", "num_pictures", "pruned_roles"):
    del config.evaluate[name]
  del config.evaluate.fit["kind"]  # There is one.
  config.evaluate.num_signals = 100  # Not in the paper; as of images.
  return config


def on_two_cores(config: config_dict.ConfigDict) -> None:
  """The same method at a size that two CPU cores train in minutes.

  Args:
    config: of `make`, locked; changed in place.
  """
  with config.unlocked():
    config.data.pipeline.update(batch_size=2, read_threads=1)
    config.network.width = 64
    config.outer.update(learning_rate=1e-4, task_tile=1)
    if config.train.num_steps:
      config.train.num_steps = 2000
    config.train.update(checkpoint_every=500, evaluate_every=500, log_every=50)
    config.evaluate.update(
      num_signals=8, num_validation_signals=4, signals_per_call=4
    )
