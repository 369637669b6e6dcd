"""Meta-SparseINR and its baselines with the paper's w0 of 200, for two cores.

`celeba_weights_cpu.py` has 30, with which dense narrow networks bear Adam's
rate of 1e-3 at test time; with 200 they do not. Weights are as much smaller,
so the outer rate is too.
"""

from experiments import sweeps
from experiments.sweeps import sparse_comparison

ROUNDS = (8, 12)  # Of pruning 20 %.
SEEDS = (0, 1, 2)
OVERRIDES = {
  "network.w0": 200.0,
  "inner.low": 1e-3,
  "inner.high": 1e-3,
  "outer.learning_rate": 5e-5,
}


def get_sweep() -> list[sweeps.Entry]:
  """Meta-SparseINR and dense networks, from every seed."""
  return sparse_comparison.entries(
    "celeba",
    suffix="_cpu",
    pruned=("meta_sparse_inr",),
    rounds=ROUNDS,
    gated_rounds=(),
    seeds=SEEDS,
    overrides=OVERRIDES,
  )
