"""The comparison of Meta-SparseINR and MSCN, for any of their data sets."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments import sweeps

# One run of these goes through all levels of sparsity,
PRUNED = ("meta_sparse_inr", "random_pruning", "learnit")
# and one of these has one level: dense networks,
DENSE = ("dense_narrow", "scratch")
# and gates.
GATED = ("mscn", "mscn_metasgd", "mscn_fully_sparse")
# Beyond the papers' comparison.
FURTHER = ("fomaml", "mscn_units")


def entries(
  data_set: str,
  *,
  suffix: str,
  pruned: Sequence[str] = PRUNED,
  rounds: Sequence[int],
  gated_rounds: Sequence[int] | None = None,
  seeds: Sequence[int],
  further: bool = False,
  overrides: Mapping[str, Any] | None = None,
) -> list[sweeps.Entry]:
  """Every method at every level from every seed; the first seed comes first.

  Args:
    data_set: a launcher that has a config for each of the methods.
    suffix: of the configs, "" or "_cpu".
    pruned: of the methods that go through all levels in a run.
    rounds: levels, as rounds of pruning 20 %.
    gated_rounds: those of methods with gates; None: the same, (): without.
    seeds: averaged.
    further: whether first-order MAML and gates of units are compared, too.
    overrides: settings that all runs share.
  """
  folder = f"experiments/configs/{data_set}"
  gated_rounds = rounds if gated_rounds is None else gated_rounds
  levels: dict[str, Sequence[int | str]] = {
    **dict.fromkeys(pruned, ("all",)),
    **dict.fromkeys(DENSE, rounds),
    **dict.fromkeys(GATED, gated_rounds),
  }
  if further:
    levels |= dict(zip(FURTHER, (("all",), gated_rounds), strict=True))
  return [
    sweeps.Entry(
      name=f"{method}/{level}/seed{seed}",
      launcher=f"experiments.{data_set}",
      config=f"{folder}/{method}{suffix}.py:{level}",
      overrides={"seed": seed, **(overrides or {})},
    )
    for seed in seeds
    for method, settings in levels.items()
    for level in settings
  ]
