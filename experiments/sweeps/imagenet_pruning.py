"""Table 3.3: ResNet-50 and VGG-19 on ImageNet, single weights.

The thesis does not say how many runs it averages.
"""

from experiments import accuracy_sweep, sweeps
from experiments.configs import classifiers


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities, for each of the networks."""
  entries = []
  for network in ("resnet50", "vgg19"):
    found = accuracy_sweep.pruning_entries(
      "imagenet_pruning",
      network,
      methods=classifiers.AT_START,
      sparsities=(0.9, 0.95),
      seeds=(0,),
    )
    entries += [e._replace(name=f"{network}_{e.name}") for e in found]
  return entries
