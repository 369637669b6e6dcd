"""Channels of a narrow VGG on Fashion-MNIST, in an hour of one core.

As table 3.4 of Alizadeh's thesis, 90 and 95 % of the parameters are removed,
with a saliency of one inner step for the effect of M (0 is snip, which is 3SP
on channels; 3 is prospr). `fashion_mnist_3sp_cpu` has the whole network.
"""

from experiments import accuracy_sweep, sweeps


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities by seeds, the first seed first."""
  entries = []
  for seed in (0, 1, 2):
    found = accuracy_sweep.pruning_entries(
      "fashion_mnist_pruning",
      "vgg_channels_cpu",
      methods=("random", "snip", "grasp", "prospr"),
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
  return accuracy_sweep.changed(
    entries,
    {"prune.measure": "parameters", "evaluate.num_validation_images": 0},
  )
