"""Figures 2c and 10, and ablations that the paper has not; on one clip."""

from experiments import sweeps
from experiments.sweeps import instance_comparison as comparison


def get_sweep() -> list[sweeps.Entry]:
  """The unaware trainings at all betas, the others at the middle two."""
  cases = ("global", "model", *comparison.UNAWARE)
  return comparison.adapted(
    cases, comparison.BETAS, suffix=""
  ) + comparison.adapted(comparison.FURTHER, comparison.BETAS[1:3], suffix="")
