"""Long horizons on rendered text: ECoP and what it is compared with.

The rows of table 1, figure 4 (a) and table 5. `ecop_K8` is ECoP trained with 8
inner steps, and so on (figure 4 b); all are fitted with the same number.
`ecop_random_target` has targets of random contexts, and so on (table 6),
`learnit_alpha0.04` has that inner rate in place of the paper's,
`ecop_target_alpha0.05` takes its target's steps at that rate, and
`learnit_twice` twice the outer steps: about ECoP's time (figure 9). What
evaluation measures beside the fit, such as "ecop + full" without gradient
scaling, is a curve of its own in the figures.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments import sweeps
from experiments.configs import long_horizon

SEEDS = (0, 1, 2)
# Inner steps in training, beside those of the configs (4 and 16).
HORIZONS = {"ecop": (4, 8), "learnit": (8, 16)}
# Contexts of ECoP's target, beside the full one (table 6).
TARGETS = ("random", "top_error")


def get_sweep() -> list[sweeps.Entry]:
  """Every method from every seed."""
  return comparison("text", "ecop")


def comparison(
  data_set: str,
  config: str,
  *,
  seeds: Sequence[int] = SEEDS,
  horizons: Mapping[str, Sequence[int]] = HORIZONS,
  rates: Mapping[str, Sequence[float]] | None = None,
  target_rates: Sequence[float] = (),
  num_steps: int = long_horizon.NUM_STEPS,
) -> list[sweeps.Entry]:
  """The methods of a config from every seed; the first seed comes first.

  Args:
    data_set: a launcher.
    config: one of its configs, whose variants are methods.
    seeds: averaged.
    horizons: further numbers of inner steps in training, by method.
    rates: further inner rates alpha, by method.
    target_rates: further rates of ECoP's target.
    num_steps: outer steps of the config.
  """
  path = f"experiments/configs/{data_set}/{config}.py"

  def entry(
    name: str, method: str, seed: int, **overrides: Any
  ) -> sweeps.Entry:
    return sweeps.Entry(
      name=f"{name}/all/seed{seed}",
      launcher=f"experiments.{data_set}",
      config=f"{path}:{method}",
      overrides={"seed": seed} | overrides,
    )

  found = []
  for seed in seeds:
    found += [entry(name, name, seed) for name in long_horizon.METHODS]
    found += [
      entry(f"{name}_K{steps}", name, seed, **{"inner.num_steps": steps})
      for name, counts in horizons.items()
      for steps in counts
    ]
    found += [
      entry(
        f"{name}_alpha{rate:g}",
        name,
        seed,
        **{"inner.low": rate, "inner.high": rate},
      )
      for name, values in (rates or {}).items()
      for rate in values
    ]
    found += [
      entry(
        f"ecop_target_alpha{rate:g}",
        "ecop",
        seed,
        **{"objective.learning_rate": rate},
      )
      for rate in target_rates
    ]
    found += [
      entry(
        f"ecop_{kind}_target",
        "ecop",
        seed,
        **{"objective.select.kind": kind, "objective.select.ratio": 0.25},
      )
      for kind in TARGETS
    ]
    twice = {"train.num_steps": 2 * num_steps}
    found.append(entry("learnit_twice", "learnit", seed, **twice))
  return found
