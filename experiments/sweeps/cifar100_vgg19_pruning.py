"""Tables 3.1 and 3.4: VGG-19 on CIFAR-100, channels and single weights."""

from experiments import accuracy_sweep, sweeps
from experiments.configs import classifiers
from experiments.configs.cifar100_pruning import vgg19


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities by seeds."""
  unstructured = [m for m in vgg19.VARIANTS if m.startswith("unstructured")]
  return accuracy_sweep.pruning_entries(
    "cifar100_pruning",
    "vgg19",
    methods=(*classifiers.AT_START, *unstructured),
    sparsities=(0.8, 0.9, 0.95),
    seeds=(0, 1, 2, 3, 4),
  )
