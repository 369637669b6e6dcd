"""The comparison of Meta-SparseINR and MSCN, for any of their data sets."""

from collections.abc import Sequence

from experiments import sweeps

# One run of these goes through all levels of sparsity,
AT_ALL_LEVELS = ("meta_sparse_inr", "random_pruning", "learnit", "fomaml")
# and one of these has one level.
AT_ONE_LEVEL = (
  "mscn",
  "mscn_metasgd",
  "mscn_fully_sparse",
  "mscn_units",
  "dense_narrow",
  "scratch",
)


def entries(
  data_set: str,
  *,
  suffix: str,
  rounds: Sequence[int],
  seeds: Sequence[int],
) -> list[sweeps.Entry]:
  """Every method at every level from every seed; the first seed comes first.

  Args:
    data_set: a launcher that has a config for each of the methods.
    suffix: of the configs, "" or "_cpu".
    rounds: levels, as rounds of pruning 20 %.
    seeds: averaged.
  """
  folder = f"experiments/configs/{data_set}"

  def entry(method: str, setting: str, seed: int) -> sweeps.Entry:
    return sweeps.Entry(
      name=f"{method}/{setting}/seed{seed}",
      launcher=f"experiments.{data_set}",
      config=f"{folder}/{method}{suffix}.py:{setting}",
      overrides={"seed": seed},
    )

  found = []
  for seed in seeds:
    found += [entry(method, "all", seed) for method in AT_ALL_LEVELS]
    found += [
      entry(method, str(count), seed)
      for count in rounds
      for method in AT_ONE_LEVEL
    ]
  return found
