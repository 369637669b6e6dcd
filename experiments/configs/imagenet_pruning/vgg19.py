"""Pruning VGG-19 on ImageNet, single weights (table 3.3).

  python -m experiments.imagenet_pruning
      --config=experiments/configs/imagenet_pruning/vgg19.py:prospr
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENET]

The part after the colon is a method: dense, random, magnitude, snip, grasp,
prospr. Set the part that is removed with --config.prune.sparsity. ProsPr is its
first-order form, with 2048 steps on batches of 128; snip and grasp are the
"multi-batch" forms, averaged over as many batches. Without --data_dir, TFDS is
read.
Hardware and time: one GPU; not timed.
Published at 90 and 95 %, top-1 (top-5): dense 73.1 % (91.3), prospr 70.8 and
66.1 (89.9 and 87.2), grasp 69.5 and 67.6 (89.2 and 87.8), snip 68.5 and 63.8
(88.8 and 86.0), random 64.2 and 56.6 (86.0 and 81.0). Not measured here.
Of the steps 3.4.2 says 256 and A.4.2 says 2048, both with batches of 128; the
second has as many examples as ResNet-50 sees, and is taken.
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
  config.network = config_dict.create(kind="vgg19_imagenet", num_classes=1000)
  config.prune = classifiers.many_batches(
    variant, num_batches=2048, batch_size=128
  )
  return config.lock()
