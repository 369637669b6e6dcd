"""Pruning VGG-16 on CIFAR-10, single weights (table A.3).

  python -m experiments.cifar10_pruning
      --config=experiments/configs/cifar10_pruning/vgg16.py:prospr
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=CIFAR10

The part after the colon is a method: dense, random, magnitude, snip, grasp,
prospr, magnitude_after, tickets. Set the part that is removed with
--config.prune.sparsity.
Hardware and time: one GPU; not timed.
Published, at 89.3 and 95.6 %: tickets 93.7 and 93.4 %, magnitude_after 93.9 and
93.5, prospr 93.3 and 92.7, grasp 92.7 and 92.2, snip 93.1 and 92.3, magnitude
92.7 and 92.0, random 90.8 and 88.3. Not measured here.
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
  config = classifiers.base("cifar10")
  config.network = config_dict.create(kind="vgg16", num_classes=10)
  config.prune = classifiers.prune_section(variant)
  return config.lock()
