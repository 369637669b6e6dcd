"""Quantising VGG-like on CIFAR-10 (table 4.1).

  python -m experiments.cifar10_quantization
      --config=experiments/configs/cifar10_quantization/vgg_like.py:l1
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=CIFAR10

The part after the colon is a method: none, dq, dq_trace, l2, l1, ste. The width
that `ste` is tuned for is --config.quantize.fine_tune.weight_bits.
Hardware and time: one GPU; not timed.
Published, in full precision and at (8, 4), (6, 4) and (4, 4) bits: none 92.5,
79.1, 78.8 and 11.5 %; dq 91.5, 86.3, 84.3 and 30.9; l2 91.9, 86.6, 86.1 and
63.9; l1 92.6, 89.7, 89.8 and 86.0; ste at its own width 91.3, 90.3 and 89.8.
Not measured here.
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
  config = classifiers.base("cifar10")
  config.network = config_dict.create(kind="vgg_like", num_classes=10)
  # Training is not described in the thesis; this is A.4.2's.
  config.optimizer.weight_decay = 1e-4
  config.quantize = classifiers.quantize_section(variant, ranges="batch_norm")
  return config.lock()
