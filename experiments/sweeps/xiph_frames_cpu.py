"""`xiph_frames.py` with small models, for a clip of 250 frames."""

from experiments import sweeps
from experiments.sweeps import instance_comparison as comparison


def get_sweep() -> list[sweeps.Entry]:
  """Three methods at the outmost betas."""
  return comparison.by_frames(
    (1, 2, 5, 10, 25), 250, betas=("3e-3", "1e-4"), suffix="_cpu"
  )
