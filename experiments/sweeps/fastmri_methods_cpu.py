"""COIN++, Functa and MSCN on volumes, at equal values and equal steps."""

from experiments import sweeps

METHODS = ("coinpp", "functa", "mscn")
NUM_MODULATIONS = (32, 8)
SEEDS = (0, 1)


def get_sweep() -> list[sweeps.Entry]:
  """Every method at every number of values, from every seed."""
  return [
    sweeps.Entry(
      name=f"{method}/{number}/seed{seed}",
      launcher="experiments.fastmri",
      config=f"experiments/configs/fastmri/{method}_cpu.py:{number}",
      overrides={"seed": seed},
    )
    for seed in SEEDS
    for number in NUM_MODULATIONS
    for method in METHODS
  ]
