"""Table A.4: ResNet-18 on Tiny-ImageNet, single weights."""

from experiments import accuracy_sweep, sweeps
from experiments.configs import classifiers


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities by seeds."""
  return accuracy_sweep.pruning_entries(
    "tiny_imagenet_pruning",
    "resnet18",
    methods=tuple(classifiers.PRUNING),
    sparsities=classifiers.SPARSITIES,
    seeds=(0, 1, 2),
  )
