"""Single weights of a narrow VGG on Fashion-MNIST, on two CPU cores."""

from experiments import accuracy_sweep, sweeps
from experiments.configs import classifiers


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities by seeds."""
  return accuracy_sweep.pruning_entries(
    "fashion_mnist_pruning",
    "vgg_cpu",
    methods=tuple(classifiers.PRUNING),
    sparsities=(0.8, 0.9, 0.95),
    seeds=(0, 1, 2),
  )
