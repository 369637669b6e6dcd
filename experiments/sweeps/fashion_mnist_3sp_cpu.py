"""Figure 3.6 with a narrow VGG on Fashion-MNIST, in an hour of one core.

Accuracy at the FLOPs that are left: 3SP, compute-aware 3SP without smoothing
(3SP + CA), and channels that are removed at random (Uniform).
"""

from experiments import accuracy_sweep, sweeps


def get_sweep() -> list[sweeps.Entry]:
  """Methods by parts of the operations removed by seeds."""
  entries = []
  for seed in (0, 1, 2):
    found = accuracy_sweep.pruning_entries(
      "fashion_mnist_pruning",
      "vgg_channels_cpu",
      methods=("dense", "random", "snip"),
      sparsities=(0.5, 0.75, 0.9),
      seeds=(seed,),
    )
    for method, name, overrides in (
      ("dense", "dense", {}),
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
