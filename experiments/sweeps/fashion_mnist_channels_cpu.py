"""Channels of a narrow VGG on Fashion-MNIST, on two CPU cores."""

from experiments import accuracy_sweep, sweeps
from experiments.configs import classifiers


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities by seeds."""
  return accuracy_sweep.pruning_entries(
    "fashion_mnist_pruning",
    "vgg_channels_cpu",
    methods=classifiers.AT_START,
    sparsities=(0.5, 0.75, 0.9),
    seeds=(0, 1, 2),
  )
