"""Active learning on Fashion-MNIST with smaller networks, on two CPU cores."""

from experiments import accuracy_sweep, sweeps
from experiments.configs.cifar10_pruning import active_learning


def get_sweep() -> list[sweeps.Entry]:
  """Networks by seeds."""
  return accuracy_sweep.learning_entries(
    "fashion_mnist_pruning/active_learning_cpu",
    methods=active_learning.VARIANTS,
    seeds=(0, 1, 2),
  )
