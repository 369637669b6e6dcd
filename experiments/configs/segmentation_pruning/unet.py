"""Pruning a U-Net on PhC-C2DH-U373 or DIC-C2DH-HeLa (tables A.6 and A.7).

  python -m experiments.segmentation_pruning
      --config=experiments/configs/segmentation_pruning/unet.py:prospr
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=PHC_C2DH_U373 --config.prune.sparsity=0.97

The part after the colon is a method: dense, random, magnitude, snip, prospr,
magnitude_after, which remove weights, or channels_random, channels_magnitude,
channels_snip (3SP), channels_grasp, channels_prospr, which make the network
smaller. Set the part that is removed with --config.prune.sparsity.
Hardware and time: one GPU; not timed.
Published, mean IoU on the held-out images: of U373 dense 0.937, prospr at 97 %
0.937, Jeong et al. (magnitude_after, in steps) at 95 % 0.937; of HeLa dense
0.751, prospr at 90 % 0.749, Jeong et al. at 81.8 % 0.741. Not measured here.
The thesis (A.7) gives 50 epochs, images of 256 x 256 and 30 % held out. Of the
optimiser, the loss, the batch size, augmentation, the saliency's batches and
whether weights or channels go, it says nothing: SGD as in A.4.2 with a cosine,
the cross-entropy of pixels, batches of 4, mirrored images, batches of training,
weights. Mean IoU is that over both classes, of all pixels together.
"""

from ml_collections import config_dict

from experiments.configs import classifiers

_CHANNELS = {
  f"channels_{name}": name for name in classifiers.AT_START if name != "dense"
}
# GraSP's smoothed outputs (a temperature) are for classes of images.
_WEIGHTS = ("dense", "random", "magnitude", "snip", "prospr", "magnitude_after")
VARIANTS = (*_WEIGHTS, *_CHANNELS)


def unlocked(variant: str) -> config_dict.ConfigDict:
  """The config, for others to build on.

  Args:
    variant: a method.
  """
  classifiers.check(variant, VARIANTS)
  config = classifiers.base("grey", num_classes=2)
  config.data.source = config_dict.create(
    layout="cell_tracking",  # Or "named".
    held_out=0.3,  # Of each sequence, the last frames.
    resize_to=256,  # Side, in pixels.
    tile=config_dict.placeholder(int),  # Side of pieces; None for none.
  )
  config.data.augment = ("flip",)
  config.data.batches.batch_size = 4
  config.optimizer.schedule = config_dict.create(kind="cosine")
  config.network = config_dict.create(
    kind="unet",
    num_classes=2,
    widths=(64, 128, 256, 512, 1024),  # Of each level, the finest first.
  )
  config.train.update(
    num_epochs=50.0, checkpoint_every=100, evaluate_every=100, log_every=10
  )
  config.evaluate.batch_size = 4
  if variant in _CHANNELS:
    config.prune = classifiers.prune_section(
      _CHANNELS[variant], structure="channels"
    )
  else:
    config.prune = classifiers.prune_section(variant)
  config.prune.measure = "parameters"
  config.prune.batch_size = 4
  return config


def get_config(variant: str = "prospr") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  return unlocked(variant).lock()
