"""Networks of single photographs, pruned before or while they are fitted."""

from experiments import sweeps


def get_sweep() -> list[sweeps.Entry]:
  """One run for each seed of the random start."""
  return [
    sweeps.Entry(
      name=f"start/all/seed{seed}",
      launcher="experiments.kodak",
      config="experiments/configs/kodak/pruned_at_start_cpu.py:all",
      overrides={"seed": seed},
    )
    for seed in (0, 1, 2)
  ]
