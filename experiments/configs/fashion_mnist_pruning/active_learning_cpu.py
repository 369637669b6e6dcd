"""Active learning on Fashion-MNIST with a narrow VGG, on two CPU cores.

  python -m experiments.active_learning
      --config=experiments/configs/fashion_mnist_pruning/active_learning_cpu.py:snip_50
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=FASHION_MNIST

The part after the colon is a network: dense, snip_50 (3SP, half of the FLOPs
gone) or snip_compute_aware_80 (80 %, with regard to costs). It begins with ten
examples of each class and acquires 50 at a time by entropy.
Hardware and time: two CPU cores, minutes.
Measured: not yet.
"""

from ml_collections import config_dict

from experiments.configs import classifiers
from experiments.configs.cifar10_pruning import active_learning

VARIANTS = active_learning.VARIANTS


def get_config(variant: str = "snip_50") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a network.
  """
  classifiers.check(variant, VARIANTS)
  config = classifiers.base("fashion_mnist")
  config.data.source.dataset = "fashion_mnist"
  config.network = config_dict.create(
    kind="vgg", num_classes=10, convs=(1, 1, 1), widths=(16, 32, 64)
  )
  config.prune = active_learning.prune_section(variant)
  classifiers.for_two_cores(config, held_out=0)
  config.data.batches.batch_size = 32
  config.train.num_epochs = 10.0
  config.active = config_dict.create(
    initial_per_class=10,
    num_acquired=50,
    acquisition="entropy",
    seconds=120.0,
    num_rounds=16,
  )
  return config.lock()
