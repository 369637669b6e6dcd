"""MSCN on Kodak at every size of table 12, and COIN++ at the thesis's."""

from experiments import sweeps

METHODS = ("mscn", "coinpp")
NUM_MODULATIONS = (16, 32, 64, 96, 128)


def get_sweep() -> list[sweeps.Entry]:
  """Both methods at every size."""
  return [
    sweeps.Entry(
      name=f"{method}/{number}/seed0",
      launcher="experiments.kodak",
      config=f"experiments/configs/kodak/{method}.py:{number}",
    )
    for number in NUM_MODULATIONS
    for method in METHODS
  ]
