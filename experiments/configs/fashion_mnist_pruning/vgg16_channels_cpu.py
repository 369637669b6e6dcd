"""Pruning channels of a narrow VGG-16 on Fashion-MNIST, on two CPU cores.

  python -m experiments.fashion_mnist_pruning
      --config=experiments/configs/fashion_mnist_pruning/vgg16_channels_cpu.py:prospr
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=FASHION_MNIST

The part after the colon is a method: dense, random, magnitude, snip, grasp,
prospr, magnitude_after, tickets. Set the part that is removed with
--config.prune.sparsity.
Hardware and time: two CPU cores, minutes.
Measured here: docs/results/classifiers.md.
"""

from ml_collections import config_dict

from experiments.configs.fashion_mnist_pruning import vgg_channels_cpu

VARIANTS = vgg_channels_cpu.VARIANTS


def get_config(variant: str = "prospr") -> config_dict.ConfigDict:
  """What differs from `vgg_channels_cpu.py`, locked.

  Args:
    variant: a method.
  """
  config = vgg_channels_cpu.get_config(variant)
  with config.unlocked():
    config.network.update(
      convs=(2, 2, 3, 3, 3),
      widths=(16, 32, 64, 128, 128),  # A fourth of VGG-16's.
    )
    config.data.augment = ()  # A few epochs learn less from crops.
    config.train.num_epochs = 4.0
  return config
