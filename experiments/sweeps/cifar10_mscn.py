"""MSCN on CIFAR-10 at every size of table 11, and COIN++ at the thesis's."""

from experiments import sweeps

METHODS = ("mscn", "coinpp")
NUM_MODULATIONS = (128, 256, 384, 512, 768, 1024)


def get_sweep() -> list[sweeps.Entry]:
  """Both methods at every size."""
  return [
    sweeps.Entry(
      name=f"{method}/{number}/seed0",
      launcher="experiments.cifar10",
      config=f"experiments/configs/cifar10/{method}.py:{number}",
    )
    for number in NUM_MODULATIONS
    for method in METHODS
  ]
