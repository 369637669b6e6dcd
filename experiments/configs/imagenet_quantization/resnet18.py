"""Quantising ResNet-18 on ImageNet (table 4.2).

  python -m experiments.imagenet_quantization
      --config=experiments/configs/imagenet_quantization/resnet18.py:l1
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=IMAGENET]

The part after the colon is a method: none, dq, dq_trace, l2, l1, ste, or
l1_strong, with lambda = 0.05. The width that `ste` is tuned for is
--config.quantize.fine_tune.weight_bits and .activation_bits. Without
--data_dir, TFDS is read.
Hardware and time: one GPU; the thesis reports 33 minutes for an epoch and 285
with the regulariser, on an RTX 2080 Ti. Not timed here.
Published, in full precision and at (8, 8), (6, 6) and (4, 4) bits: none 69.7,
69.2, 63.8 and 0.3 %; dq 68.3, 67.8, 62.3 and 0.2; l2 68.3, 68.0, 64.5 and 0.2;
l1 70.1, 69.9, 66.4 and 0.2; l1_strong 64.0, 63.8, 61.2 and 55.3; ste at its own
width 70.1, 69.6 and 57.5. Not measured here.
The thesis describes no training on ImageNet for chapter 4 (A.4.2's is taken),
and gives of the weights lambda only the 0.05.
Differs from the paper: activation ranges are calibrated.
"""

from ml_collections import config_dict

from experiments.configs import classifiers

VARIANTS = (*classifiers.QUANTIZATION, "l1_strong")


def get_config(variant: str = "l1") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  classifiers.check(variant, VARIANTS)
  strong = variant == "l1_strong"
  config = classifiers.imagenet()
  config.network = config_dict.create(
    kind="resnet18_imagenet", num_classes=1000
  )
  config.quantize = classifiers.quantize_section(
    "l1" if strong else variant, ranges="calibration"
  )
  if strong:
    config.quantize.regularizer.weight = 0.05
  config.quantize.fine_tune.activation_bits = 8
  config.quantize.widths = ((8, 8), (6, 6), (4, 4))
  return config.lock()
