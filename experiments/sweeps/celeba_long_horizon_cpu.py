"""Long horizons on CelebA, for two CPU cores.

What is compared is said in `text_long_horizon.py`.
"""

from experiments import sweeps
from experiments.configs import long_horizon
from experiments.sweeps import text_long_horizon


def get_sweep() -> list[sweeps.Entry]:
  """Every method from every seed."""
  return text_long_horizon.comparison(
    "celeba", "ecop_cpu", num_steps=long_horizon.NUM_STEPS_CPU
  )
