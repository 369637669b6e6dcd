"""Figure 3.6 with a narrow VGG-16 on Fashion-MNIST, in half an hour.

As `fashion_mnist_3sp_cpu`, with thirteen layers in place of three: the last of
them are what 3SP removes first.
"""

from experiments import accuracy_sweep, sweeps


def get_sweep() -> list[sweeps.Entry]:
  """Methods by parts of the operations removed by seeds."""
  entries = []
  for seed in (0, 1, 2):
    found = accuracy_sweep.pruning_entries(
      "fashion_mnist_pruning",
      "vgg16_channels_cpu",
      methods=("random", "snip"),
      sparsities=(0.5, 0.9),
      seeds=(seed,),
    )
    for method, name, overrides in (
      ("random", "uniform", {}),
      ("snip", "3sp", {}),
      ("snip", "3sp_ca", {"prune.saliency.cost_smoothing": 0.0}),
    ):
      entries += accuracy_sweep.changed(
        found, overrides, method=method, name=name
      )
  return accuracy_sweep.changed(
    entries, {"prune.measure": "flops", "evaluate.num_validation_images": 0}
  )
