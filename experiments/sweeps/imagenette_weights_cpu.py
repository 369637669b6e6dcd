"""Meta-SparseINR, MSCN, baselines on Imagenette, for two CPU cores."""

from experiments import sweeps
from experiments.sweeps import sparse_comparison

ROUNDS = (4, 8, 12)  # Of pruning 20 %.
GATED_ROUNDS = (12,)  # Each is a training of its own.
SEEDS = (0, 1, 2)


def get_sweep() -> list[sweeps.Entry]:
  """Every method at levels of sparsity, from every seed."""
  return sparse_comparison.entries(
    "imagenette",
    suffix="_cpu",
    rounds=ROUNDS,
    gated_rounds=GATED_ROUNDS,
    seeds=SEEDS,
  )
