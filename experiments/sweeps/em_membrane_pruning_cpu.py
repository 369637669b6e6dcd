"""Channels of a narrow U-Net on membranes, on two CPU cores."""

from experiments import accuracy_sweep, sweeps


def get_sweep() -> list[sweeps.Entry]:
  """Methods by sparsities by seeds."""
  return accuracy_sweep.pruning_entries(
    "segmentation_pruning",
    "unet_cpu",
    methods=("dense", "channels_random", "channels_snip", "channels_prospr"),
    sparsities=(0.8, 0.9, 0.95),
    seeds=(0, 1, 2),
  )
