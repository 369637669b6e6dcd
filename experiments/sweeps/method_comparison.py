"""COIN++, Functa and MSCN at equal numbers of stored values and equal steps."""

from collections.abc import Sequence

from experiments import sweeps

METHODS = ("coinpp", "functa", "mscn")


def entries(
  data_set: str, num_modulations: Sequence[int], *, seeds: Sequence[int]
) -> list[sweeps.Entry]:
  """Every method at every number of values, seed after seed.

  Args:
    data_set: name of its launcher and of the folder of its configs.
    num_modulations: values stored for a signal or a block, each a variant of
      the configs for two cores.
    seeds: of the trainings.
  """
  return [
    sweeps.Entry(
      name=f"{method}/{number}/seed{seed}",
      launcher=f"experiments.{data_set}",
      config=f"experiments/configs/{data_set}/{method}_cpu.py:{number}",
      overrides={"seed": seed},
    )
    for seed in seeds
    for number in num_modulations
    for method in METHODS
  ]
