"""ECoP around MSCN and COIN++, beside these alone, for two CPU cores."""

from experiments import sweeps
from experiments.configs.celeba_hq import modulated_ecop_cpu

SEEDS = (0, 1, 2)


def get_sweep() -> list[sweeps.Entry]:
  """Every variant from every seed; the first seed comes first."""
  return [
    sweeps.Entry(
      name=f"{variant}/64/seed{seed}",
      launcher="experiments.celeba_hq",
      config="experiments/configs/celeba_hq/modulated_ecop_cpu.py:" + variant,
      overrides={"seed": seed},
    )
    for seed in SEEDS
    for variant in modulated_ecop_cpu.VARIANTS
  ]
