"""Figure 7: numbers of frames of `sunflower`, a clip of 500."""

from experiments import sweeps
from experiments.sweeps import instance_comparison as comparison

# Appendix D.
COUNTS = (1, 2, 5, 10, 25, 50, 100, 250, 500)


def get_sweep() -> list[sweeps.Entry]:
  """Three methods at the outmost betas."""
  return comparison.by_frames(COUNTS, 500, betas=("3e-3", "1e-4"), suffix="")
