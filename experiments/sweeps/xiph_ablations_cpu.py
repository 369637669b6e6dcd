"""`xiph_ablations.py` with small models, at two betas."""

from experiments import sweeps
from experiments.sweeps import instance_comparison as comparison


def get_sweep() -> list[sweeps.Entry]:
  """The unaware trainings and the other ablations, beside the whole model."""
  cases = ("global", "model", *comparison.UNAWARE, *comparison.FURTHER)
  return comparison.adapted(cases, comparison.BETAS[1:3], suffix="_cpu")
