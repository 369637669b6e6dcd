"""Figures 2a, 2b, 3, 8 and 9 and table 1 of instance-adaptive compression.

With `--start=1e-3`, as the paper has it; on its five clips.
"""

from experiments import sweeps
from experiments.sweeps import instance_comparison as comparison


def get_sweep() -> list[sweeps.Entry]:
  """Classical codecs, then four methods at four betas."""
  return comparison.classical() + comparison.adapted(
    comparison.METHODS, comparison.BETAS, suffix=""
  )
