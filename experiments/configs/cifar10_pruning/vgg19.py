"""Pruning channels of VGG-19 on CIFAR-10 (tables 3.1, 3.4 and 3.5).

  python -m experiments.cifar10_pruning
      --config=experiments/configs/cifar10_pruning/vgg19.py:prospr
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=CIFAR10

The part after the colon is a method: dense, random, magnitude, snip, grasp,
prospr, magnitude_after, tickets. Set the part that is removed with
--config.prune.sparsity; 3SP is snip, with --config.prune.reset for its forms.
Hardware and time: one GPU; not timed.
Published, at 80, 90 and 95 % of the parameters: dense 93.6 %, prospr 93.6, 93.6
and 93.3, snip (3SP) 93.4, 93.1 and 92.5, random 92.0, 90.4 and 89.0. Not
measured here.
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
  config.network = config_dict.create(kind="vgg19_3sp", num_classes=10)
  # A.1: halved twice.
  config.train.num_epochs = 160.0
  config.optimizer.schedule.update(epochs=(80, 120), factor=0.5)
  config.prune = classifiers.prune_section(variant, structure="channels")
  config.prune.measure = "parameters"
  return config.lock()
