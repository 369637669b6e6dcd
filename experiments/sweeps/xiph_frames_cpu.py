"""`xiph_frames.py` with small models, for a clip of 120 frames."""

from experiments import sweeps
from experiments.sweeps import instance_comparison as comparison


def get_sweep() -> list[sweeps.Entry]:
  """Three methods at one beta."""
  return comparison.by_frames((1, 6, 30), 120, betas=("1e-3",), suffix="_cpu")
