"""`xiph.py` with small models, for two CPU cores and any clip."""

from experiments import sweeps
from experiments.sweeps import instance_comparison as comparison


def get_sweep() -> list[sweeps.Entry]:
  """Classical codecs, then four methods at four betas."""
  return comparison.classical() + comparison.adapted(
    comparison.METHODS, comparison.BETAS, suffix="_cpu"
  )
