"""Winning tickets on Kodak: the papers' numbers."""

from experiments import sweeps
from experiments.sweeps import ticket_comparison

NETWORKS = ("", "_ffn")  # SIREN and Fourier features.
ROUNDS = (4, 8, 12, 15, 20)  # Of pruning 20 %.
SEEDS = (0, 1, 2)


def get_sweep() -> list[sweeps.Entry]:
  """Both methods at levels of sparsity, from every seed."""
  return ticket_comparison.entries(
    suffix="", networks=NETWORKS, rounds=ROUNDS, seeds=SEEDS
  )
