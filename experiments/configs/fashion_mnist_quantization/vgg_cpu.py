"""Quantising a narrow VGG on Fashion-MNIST, small enough for two CPU cores.

  python -m experiments.fashion_mnist_quantization
      --config=experiments/configs/fashion_mnist_quantization/vgg_cpu.py:l1
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=FASHION_MNIST

The part after the colon is a method: none, dq, dq_trace, l2, l1, ste. The width
that `ste` is tuned for is --config.quantize.fine_tune.weight_bits.
Hardware and time: two CPU cores, two minutes.
Measured here: docs/results/classifiers.md.
"""

from ml_collections import config_dict

from experiments.configs import classifiers

VARIANTS = classifiers.QUANTIZATION


def get_config(variant: str = "l1") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  classifiers.check(variant, VARIANTS)
  config = classifiers.base("fashion_mnist")
  config.network = config_dict.create(
    kind="vgg", num_classes=10, convs=(1, 1, 1), widths=(16, 32, 64)
  )
  config.optimizer.weight_decay = 1e-4
  config.quantize = classifiers.quantize_section(variant, ranges="batch_norm")
  classifiers.for_two_cores(config, held_out=1000)
  config.data.source.held_out = 1000
  config.data.augment = ()  # A few epochs learn less from crops.
  config.train.num_epochs = 6.0
  config.quantize.regularizer.num_epochs = 3.0
  if config.quantize.fine_tune.num_epochs:
    config.quantize.fine_tune.num_epochs = 3.0
  return config.lock()
