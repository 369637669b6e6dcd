"""COIN++, Functa and MSCN on photographs, at equal values and equal steps."""

from experiments import sweeps

METHODS = ("functa", "mscn", "coinpp")
NUM_MODULATIONS = (64, 128)
SEEDS = (0, 1)


def get_sweep() -> list[sweeps.Entry]:
  """Every method at every number of values, from every seed."""
  return [
    sweeps.Entry(
      name=f"{method}/{number}/seed{seed}",
      launcher="experiments.kodak",
      config=f"experiments/configs/kodak/{method}_cpu.py:{number}",
      overrides={"seed": seed},
    )
    for number in NUM_MODULATIONS
    for seed in SEEDS
    for method in METHODS
  ]
