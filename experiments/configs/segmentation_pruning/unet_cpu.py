"""Pruning a narrow U-Net on membranes, small enough for two CPU cores.

  python -m experiments.segmentation_pruning
      --config=experiments/configs/segmentation_pruning/unet_cpu.py:channels_snip
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=EM_MEMBRANE

The part after the colon is a method: dense, random, magnitude, snip, prospr,
magnitude_after, channels_random, channels_magnitude, channels_snip (3SP),
channels_grasp, channels_prospr. Set the part that is removed with
--config.prune.sparsity. Five images are trained on, in pieces of 128 x 128, and
two are tested on.
Hardware and time: two CPU cores, minutes.
Measured: not yet.
"""

from ml_collections import config_dict

from experiments.configs.segmentation_pruning import unet

VARIANTS = unet.VARIANTS


def get_config(variant: str = "channels_snip") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  config = unet.unlocked(variant)
  config.data.normalization = "em_membrane"
  config.data.source.update(layout="named", tile=128)
  config.data.source.resize_to = None
  config.data.augment = ("flip", "transpose")
  config.data.batches.batch_size = 8
  config.network.widths = (8, 16, 32)
  config.train.update(num_epochs=15.0, checkpoint_every=50, log_every=10)
  config.evaluate.batch_size = 8
  config.prune.batch_size = 8
  return config.lock()
