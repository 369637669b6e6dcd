"""COIN++, Functa and MSCN on temperature, at equal values and equal steps."""

from experiments import sweeps
from experiments.sweeps import method_comparison


def get_sweep() -> list[sweeps.Entry]:
  """Every method at every number of values, from two seeds."""
  return method_comparison.entries("era5", (4, 16, 64), seeds=(0, 1))
