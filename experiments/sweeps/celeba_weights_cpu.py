"""Meta-SparseINR, MSCN, baselines on CelebA, for two CPU cores.

Where each folder of --data_dir has the pictures of one person, add
--config.data.source.unit=folder, so that no person is on both sides.
"""

from experiments import sweeps
from experiments.sweeps import sparse_comparison

ROUNDS = (4, 8, 12)  # Of pruning 20 %.
GATED_ROUNDS = (12,)  # Each is a training of its own.
SEEDS = (0, 1, 2)


def get_sweep() -> list[sweeps.Entry]:
  """Every method at levels of sparsity, from every seed."""
  return sparse_comparison.entries(
    "celeba",
    suffix="_cpu",
    rounds=ROUNDS,
    gated_rounds=GATED_ROUNDS,
    seeds=SEEDS,
  )
