"""What ECoP's configs of fields, speech and clips have in common.

The methods and the numbers are those of `long_horizon.py`; signals are no
images, and what is reported is PSNR.
"""

from ml_collections import config_dict

from experiments.configs import long_horizon

# TransINR's tokens are patches of a grid, which a sphere has none of; of sound
# the paper does not have it either.
METHODS = tuple(m for m in long_horizon.METHODS if m != "transinr")


def make(
  method: str,
  *,
  signal: config_dict.ConfigDict,
  source: config_dict.ConfigDict,
  in_dim: int,
  ratio: float = 0.5,
  learnit_steps: int = 4,
) -> config_dict.ConfigDict:
  """The config of a method, unlocked.

  Args:
    method: one of `METHODS`; of clips, any of `long_horizon.METHODS`.
    signal: the section `signal`.
    source: the section `data.source`.
    in_dim: coordinates of a point.
    ratio: gamma; by default that of sound and fields, "as we do not need to
      prune the context much" (A.2).
    learnit_steps: K of Learnit.
  """
  config = long_horizon.make(
    method,
    source=source,
    side=1,  # Of images.
    channels=1,
    ratio=ratio,
    learnit_steps=learnit_steps,
  )
  config.unlock()
  config.signal = signal
  config.network.in_dim = in_dim
  del config.data.pipeline["augment"]
  for name in (
    "num_images",
    "num_pictures",
    "pruned_roles",
    "checkpoints",
    "lpips_weights",  # It sees pictures.
  ):
    del config.evaluate[name]
  del config.evaluate.fit["kind"]  # There is one.
  if "export" in config:
    del config.export  # Signals of whole weights have no codec yet.
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
