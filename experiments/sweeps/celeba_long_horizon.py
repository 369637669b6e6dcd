"""Long horizons on CelebA: the paper's numbers.

What is compared is said in `text_long_horizon.py`.
"""

from experiments import sweeps
from experiments.sweeps import text_long_horizon


def get_sweep() -> list[sweeps.Entry]:
  """Every method from every seed."""
  return text_long_horizon.comparison("celeba", "ecop")
