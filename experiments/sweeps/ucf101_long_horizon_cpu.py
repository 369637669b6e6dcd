"""Long horizons on small clips, for two CPU cores."""

from experiments import sweeps
from experiments.sweeps import ucf101_long_horizon


def get_sweep() -> list[sweeps.Entry]:
  """Every method from every seed."""
  return ucf101_long_horizon.comparison(suffix="_cpu")
