"""Tables 3.1 and 3.4: VGG-19 on CIFAR-10, channels."""

from experiments import accuracy_sweep, sweeps
from experiments.configs import classifiers


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities by seeds."""
  return accuracy_sweep.pruning_entries(
    "cifar10_pruning",
    "vgg19",
    methods=classifiers.AT_START,
    sparsities=(0.8, 0.9, 0.95),
    seeds=(0, 1, 2, 3, 4),
  )
