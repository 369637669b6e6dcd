"""Pruning ResNet-18 on Tiny-ImageNet, single weights (table A.4).

  python -m experiments.tiny_imagenet_pruning
      --config=experiments/configs/tiny_imagenet_pruning/resnet18.py:prospr
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=TINY_IMAGENET

The part after the colon is a method: dense, random, magnitude, snip, grasp,
prospr, magnitude_after, tickets. Set the part that is removed with
--config.prune.sparsity.
Hardware and time: one GPU; not timed. A saliency's batch has ten images of each
of 200 classes (3.4.2); on a small GPU, set --config.prune.per_class.
Published, at 89.3 and 95.6 %: tickets 52.0 and 51.4 %, magnitude_after 51.1 and
51.2, prospr 50.7 and 50.8, grasp 48.3 and 45.5, snip 51.2 and 47.8, magnitude
49.8 and 46.2, random 43.6 and 37.2. Not measured here.
"""

from ml_collections import config_dict

from experiments.configs import classifiers

VARIANTS = tuple(classifiers.PRUNING)


def get_config(variant: str = "prospr") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  classifiers.check(variant, VARIANTS)
  config = classifiers.base("tiny_imagenet", num_classes=200)
  # Not in TFDS, and its `val` is what the papers test on.
  config.data.source = config_dict.create(num_classes=200)
  config.data.batches.read_threads = 8
  config.network = config_dict.create(kind="resnet18", num_classes=200)
  config.prune = classifiers.prune_section(variant)
  return config.lock()
