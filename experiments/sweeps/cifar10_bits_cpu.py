"""Bits and quantiser ranges, for every method trained once.

COIN++ was best at 3 deviations, MSCN with its fat tails at 7 to 15 (D.1).
"""

from experiments import sweeps

NUM_BITS = (2, 3, 4, 5, 6, 7, 8, 10)
NUM_DEVIATIONS = (2.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0)


def get_sweep() -> list[sweeps.Entry]:
  """One model of each method, at all bits and ranges."""
  return [
    sweeps.Entry(
      name=f"{method}/64/seed0",
      launcher="experiments.cifar10",
      config=f"experiments/configs/cifar10/{method}_cpu.py:64",
      overrides={
        "evaluate.quantise.num_bits": NUM_BITS,
        "evaluate.quantise.num_deviations": NUM_DEVIATIONS,
      },
    )
    for method in ("coinpp", "functa", "mscn")
  ]
