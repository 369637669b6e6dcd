"""ProsPr against the rest at 90 and 95 %, in an hour of one core.

Single weights of a narrow VGG on Fashion-MNIST, with a saliency of one inner
step for the effect of M (0 is snip, 3 is prospr). Beside
`fashion_mnist_pruning_cpu` there is no 80 %, and nothing is validated.
"""

from experiments import accuracy_sweep, sweeps
from experiments.configs import classifiers


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities by seeds, the first seed first."""
  entries = []
  for seed in (0, 1, 2):
    found = accuracy_sweep.pruning_entries(
      "fashion_mnist_pruning",
      "vgg_cpu",
      methods=tuple(classifiers.PRUNING),
      sparsities=(0.9, 0.95),
      seeds=(seed,),
    )
    found += accuracy_sweep.changed(
      found,
      {"prune.saliency.num_steps": 1},
      method="prospr",
      name="prospr_m1",
    )
    entries += found
  return accuracy_sweep.changed(entries, {"evaluate.num_validation_images": 0})
