"""Tables A.6 and A.7: prune ratios at which a U-Net keeps its mean IoU.

Run it once for each data set, with its folder as --data_dir.
"""

from experiments import accuracy_sweep, sweeps


def get_sweep() -> list[sweeps.Entry]:
  """The ratios of both tables; the thesis does not say how many runs."""
  return accuracy_sweep.pruning_entries(
    "segmentation_pruning",
    "unet",
    methods=("dense", "prospr", "snip", "magnitude_after"),
    sparsities=(0.818, 0.9, 0.95, 0.97),
    seeds=(0,),
  )
