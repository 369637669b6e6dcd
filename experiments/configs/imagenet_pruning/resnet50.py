"""Pruning ResNet-50 on ImageNet, single weights (table 3.3).

  python -m experiments.imagenet_pruning
      --config=experiments/configs/imagenet_pruning/resnet50.py:prospr
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENET]

The part after the colon is a method: dense, random, magnitude, snip, grasp,
prospr. Set the part that is removed with --config.prune.sparsity. ProsPr is its
first-order form, with 1024 steps on batches of 256; snip and grasp are the
"multi-batch" forms, averaged over as many batches. Without --data_dir, TFDS is
read.
Hardware and time: one GPU; not timed.
Published at 90 and 95 %, top-1 (top-5): dense 75.6 % (92.8), prospr 66.9 and
59.6 (87.9 and 82.8), grasp 65.4 and 46.2 (86.7 and 66.0), snip 61.5 and 44.3
(83.9 and 69.6), random 64.6 and 57.2 (86.0 and 80.8). Not measured here.
The thesis gives no rate for ProsPr's steps, no number of batches for snip and
grasp, and no ranges for the random crops.
"""

from ml_collections import config_dict

from experiments.configs import classifiers

VARIANTS = classifiers.AT_START


def get_config(variant: str = "prospr") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  classifiers.check(variant, VARIANTS)
  config = classifiers.imagenet()
  config.network = config_dict.create(
    kind="resnet50_imagenet", num_classes=1000
  )
  config.prune = classifiers.many_batches(
    variant, num_batches=1024, batch_size=256
  )
  return config.lock()
