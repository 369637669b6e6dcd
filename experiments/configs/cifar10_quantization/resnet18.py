"""Quantising ResNet-18 on CIFAR-10 (table 4.1).

  python -m experiments.cifar10_quantization
      --config=experiments/configs/cifar10_quantization/resnet18.py:l1
      --workdir=DIR --mode=train --mode=evaluate
      --data_dir=CIFAR10

The part after the colon is a method: none, dq, dq_trace, l2, l1, ste. The width
that `ste` is tuned for is --config.quantize.fine_tune.weight_bits.
Hardware and time: one GPU; not timed.
Published, in full precision and at (8, 4), (6, 4) and (4, 4) bits: none 93.5,
85.5, 85.4 and 84.0 %; dq 92.5, 83.3, 83.3 and 82.5; l2 93.3, 84.5, 85.0 and
83.8; l1 93.4, 88.7, 88.5 and 87.6; ste at its own width 89.1, 90.8 and 90.0.
Not measured here.
Differs from the paper: activation ranges are calibrated.
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
  config.network = config_dict.create(kind="resnet18", num_classes=10)
  # Training is not described in the thesis; this is A.4.2's.
  config.optimizer.weight_decay = 1e-4
  config.quantize = classifiers.quantize_section(variant, ranges="calibration")
  return config.lock()
