"""Meta-SparseINR, MSCN, baselines on rendered text: the papers' numbers."""

from experiments import sweeps
from experiments.sweeps import sparse_comparison

ROUNDS = (4, 8, 12, 15, 20)  # Of pruning 20 %.
SEEDS = (0, 1, 2)


def get_sweep() -> list[sweeps.Entry]:
  """Every method at every level of sparsity, from every seed."""
  return sparse_comparison.entries(
    "text", suffix="", rounds=ROUNDS, seeds=SEEDS, further=True
  )
