"""Three levels of table A.2, small enough for two CPU cores."""

from experiments import accuracy_sweep, sweeps
from experiments.configs import classifiers


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities by seeds."""
  return accuracy_sweep.pruning_entries(
    "cifar10_pruning",
    "resnet20_cpu",
    methods=tuple(classifiers.PRUNING),
    sparsities=(0.8, 0.9, 0.95),
    seeds=(0, 1, 2),
  )
