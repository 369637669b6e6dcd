"""Winning tickets on Kodak, for two CPU cores."""

from experiments import sweeps
from experiments.sweeps import ticket_comparison

NETWORKS = ("",)  # SIREN.
ROUNDS = (4, 8, 12)  # Of pruning 20 %.
SEEDS = (0, 1, 2)


def get_sweep() -> list[sweeps.Entry]:
  """Both methods at levels of sparsity, from every seed."""
  return ticket_comparison.entries(
    suffix="_cpu", networks=NETWORKS, rounds=ROUNDS, seeds=SEEDS
  )
