"""Figures 3.7 and A.1: active learning on CIFAR-10 with smaller networks."""

from experiments import accuracy_sweep, sweeps
from experiments.configs.cifar10_pruning import active_learning


def get_sweep() -> list[sweeps.Entry]:
  """Networks by seeds."""
  return accuracy_sweep.learning_entries(
    "cifar10_pruning/active_learning",
    methods=active_learning.VARIANTS,
    seeds=(0, 1, 2, 3, 4),
  )
