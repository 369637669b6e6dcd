"""Figure 3.6 with a narrow VGG on Fashion-MNIST, in an hour of one core.

Accuracy at the FLOPs that are left: 3SP, compute-aware 3SP without smoothing
(3SP + CA), and channels that are removed at random (Uniform).
"""

from collections.abc import Sequence

from experiments import accuracy_sweep, sweeps


def entries(config: str, *, sparsities: Sequence[float]) -> list[sweeps.Entry]:
  """Methods by parts of the operations removed by seeds.

  Args:
    config: name of a config of `fashion_mnist_pruning`, of channels.
    sparsities: the parts.
  """
  found = []
  for seed in (0, 1, 2):
    plain = accuracy_sweep.pruning_entries(
      "fashion_mnist_pruning",
      config,
      methods=("dense", "random", "snip"),
      sparsities=sparsities,
      seeds=(seed,),
    )
    for method, name, overrides in (
      ("dense", "dense", {}),
      ("random", "uniform", {}),
      ("snip", "3sp", {}),
      ("snip", "3sp_ca", {"prune.saliency.cost_smoothing": 0.0}),
    ):
      found += accuracy_sweep.changed(
        plain, overrides, method=method, name=name
      )
  return accuracy_sweep.changed(
    found, {"prune.measure": "flops", "evaluate.num_validation_images": 0}
  )


def get_sweep() -> list[sweeps.Entry]:
  """The whole network, and what three methods leave of it."""
  return entries("vgg_channels_cpu", sparsities=(0.5, 0.75, 0.9))
