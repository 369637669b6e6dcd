"""Table A.3: VGG-16 on CIFAR-10, single weights."""

from experiments import accuracy_sweep, sweeps
from experiments.configs import classifiers


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities by seeds."""
  return accuracy_sweep.pruning_entries(
    "cifar10_pruning",
    "vgg16",
    methods=tuple(classifiers.PRUNING),
    sparsities=classifiers.SPARSITIES,
    seeds=(0, 1, 2),
  )
