"""Pruning VGG-19 on CIFAR-100 (tables 3.1, 3.4 and 3.5).

  python -m experiments.cifar100_pruning
      --config=experiments/configs/cifar100_pruning/vgg19.py:prospr
      --workdir=DIR --mode=train --mode=evaluate
      [--data_dir=CIFAR100]

The part after the colon is a method: dense, random, magnitude, snip, grasp,
prospr, magnitude_after, tickets, which remove channels, or unstructured_random,
unstructured_snip, unstructured_grasp, which remove weights. Set the part that
is removed with --config.prune.sparsity; 3SP is snip, with --config.prune.reset
for its forms; M is --config.prune.saliency.num_steps. Without --data_dir, TFDS
is read; a folder has train.npz, val.npz and test.npz like CIFAR-10's.
Hardware and time: one GPU; not timed.
Published, at 80, 90 and 95 % of the parameters: dense 72.5 %, prospr 72.3, 71.1
and 68.0, snip (3SP) 69.9, 68.3 and 63.2, with reinitialisation 70.3, 69.0 and
64.2, with rescaling 70.5, 69.2 and 63.5, random 67.5, 63.8 and 60.1;
unstructured_random 70.3, 68.1 and 64.7, unstructured_snip 72.8, 72.4 and 70.7,
unstructured_grasp 71.2, 70.6 and 69.5. With M = 0, 1, 2 and 3 at 90 % 68.3,
68.8, 69.8 and 71.0, at 95 % 63.2, 64.9, 67.1 and 68.0. Not measured here.
The thesis gives no batch size with A.1 (A.4.2's is taken), nor a weight decay
(likewise).
Differs from the paper: in table 3.5 one batch serves all M steps, here each has
its own.
"""

from ml_collections import config_dict

from experiments.configs import classifiers

_UNSTRUCTURED = {
  f"unstructured_{name}": name for name in ("random", "snip", "grasp")
}
VARIANTS = (*classifiers.PRUNING, *_UNSTRUCTURED)


def get_config(variant: str = "prospr") -> config_dict.ConfigDict:
  """The config, locked.

  Args:
    variant: a method.
  """
  classifiers.check(variant, VARIANTS)
  config = classifiers.base("cifar100", num_classes=100)
  classifiers.as_in_3sp(config)
  if variant in _UNSTRUCTURED:
    config.prune = classifiers.prune_section(_UNSTRUCTURED[variant])
  else:
    config.prune = classifiers.prune_section(variant, structure="channels")
  config.prune.measure = "parameters"
  return config.lock()
