"""Pruning ResNet-20 on CIFAR-10, single weights (table A.2).

  python -m experiments.cifar10_pruning
      --config=experiments/configs/cifar10_pruning/resnet20.py:prospr
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=CIFAR10

The part after the colon is a method: dense, random, magnitude, snip, grasp,
prospr, magnitude_after, tickets. Set the part that is removed with
--config.prune.sparsity.
Hardware and time: one GPU; not timed.
Published, at 89.3 and 95.6 %: tickets 89.2 and 84.4 %, magnitude_after 89.4 and
85.2, prospr 87.8 and 83.0, grasp 87.0 and 82.8, snip 87.2 and 82.5, magnitude
87.0 and 82.5, random 85.6 and 79.6. Not measured here.
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
  config.network = config_dict.create(kind="resnet20", num_classes=10)
  config.prune = classifiers.prune_section(variant)
  return config.lock()
