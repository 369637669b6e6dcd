"""Pruning channels of a narrow VGG on Fashion-MNIST, on two CPU cores.

  python -m experiments.fashion_mnist_pruning
      --config=experiments/configs/fashion_mnist_pruning/vgg_channels_cpu.py:prospr
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=FASHION_MNIST

The part after the colon is a method: dense, random, magnitude, snip, grasp,
prospr, magnitude_after, tickets. Set the part that is removed with
--config.prune.sparsity.
Hardware and time: two CPU cores, minutes.
Measured here: docs/results/classifiers.md.
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
  config = classifiers.base("fashion_mnist")
  config.network = config_dict.create(
    kind="vgg",
    num_classes=10,
    convs=(1, 1, 1),
    widths=(32, 64, 128),
  )
  config.prune = classifiers.prune_section(variant, structure="channels")
  classifiers.for_two_cores(config, held_out=500)
  config.data.source.held_out = 500
  return config.lock()
