"""A small hyperprior at the four weights of the rate: its curve, in files."""

from experiments import sweeps
from experiments.configs.clic import hyperprior_cpu


def get_sweep() -> list[sweeps.Entry]:
  """One training for every beta."""
  return [
    sweeps.Entry(
      name=f"hyperprior/{beta}/seed0",
      launcher="experiments.clic",
      config=f"experiments/configs/clic/hyperprior_cpu.py:{beta}",
      overrides={},
    )
    for beta in hyperprior_cpu.VARIANTS
  ]
