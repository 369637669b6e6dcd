"""Runs a comparison of classifiers, goes on where it stopped, and draws it.

  python -m experiments.accuracy_sweep --sweep=experiments/sweeps/<name>.py
      --workdir=DIR [-- flags for every launcher, such as --data_dir=DIR]

A sweep is data, as in `experiments.sweep`. Of pruned networks `table.md` has a
row for each method and a column for each sparsity (tables 3.1, 3.4, A.2 to A.4
of Alizadeh's thesis), and `accuracy_*.png` draw accuracy over what is left; of
quantised ones the columns are (weight, activation) bits (tables 4.1, 4.2), and
`quantization.png` shows what rounding does (figures 4.1, 4.5). Of segmentations
it is the mean IoU instead of the accuracy (tables A.6, A.7); active learning is
drawn over time and labels (figures 3.7, A.1).
"""

import collections
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import app, flags

from experiments import accuracy_figures, sweep, sweeps
from experiments.configs import classifiers
from inrjax import evaluate
from inrjax.evaluate import files

Results = Mapping[str, Mapping[str, Any]]
# Where there is nothing to prune there is one run, at this setting.
_WHOLE = "0"
_FULL = "full"


def pruning_entries(
  launcher: str,
  config: str,
  *,
  methods: Sequence[str],
  sparsities: Sequence[float],
  seeds: Sequence[int],
) -> list[sweeps.Entry]:
  """Methods by sparsities by seeds, the first seed first.

  Args:
    launcher: its name.
    config: name of a config below the launcher's folder.
    methods: variants of the config; "dense" is run once for each seed.
    sparsities: parts that are removed.
    seeds: averaged.
  """
  found = []
  for seed in seeds:
    for method in methods:
      levels = (0.0,) if method == "dense" else sparsities
      for sparsity in levels:
        pruned = {} if method == "dense" else {"prune.sparsity": sparsity}
        found.append(
          _entry(launcher, config, method, f"{sparsity:g}", seed, pruned)
        )
  return found


def changed(
  entries: Sequence[sweeps.Entry],
  overrides: Mapping[str, Any],
  *,
  method: str | None = None,
  name: str | None = None,
) -> list[sweeps.Entry]:
  """Entries with further overrides.

  Args:
    entries: of a sweep.
    overrides: added to those of each entry.
    method: only the entries of this method are taken; None takes all.
    name: what the method is called then; None keeps its name.
  """
  found = []
  for entry in entries:
    own, setting, seed = entry.name.split("/")
    if method in (None, own):
      found.append(
        entry._replace(
          name=f"{name or own}/{setting}/{seed}",
          overrides={**entry.overrides, **overrides},
        )
      )
  return found


def quantization_entries(
  launcher: str,
  config: str,
  *,
  widths: Sequence[tuple[int, int]],
  seeds: Sequence[int],
  methods: Sequence[str] = classifiers.QUANTIZATION,
) -> list[sweeps.Entry]:
  """Every method, and fine-tuning at each of the (W, A), by seeds.

  Args:
    launcher: its name.
    config: name of a config below the launcher's folder.
    widths: (weight, activation) bits.
    seeds: averaged.
    methods: variants of the config; "ste" is run once for each width.
  """
  found = []
  for seed in seeds:
    for method in methods:
      if method != "ste":
        found.append(_entry(launcher, config, method, _WHOLE, seed, {}))
        continue
      for weight_bits, activation_bits in widths:
        bits = {
          "quantize.fine_tune.weight_bits": weight_bits,
          "quantize.fine_tune.activation_bits": activation_bits,
        }
        setting = f"{weight_bits},{activation_bits}"
        found.append(_entry(launcher, config, method, setting, seed, bits))
  return found


def learning_entries(
  config: str, *, methods: Sequence[str], seeds: Sequence[int]
) -> list[sweeps.Entry]:
  """Active learning by networks and seeds.

  Args:
    config: its folder and name below `experiments/configs`.
    methods: variants of the config.
    seeds: averaged.
  """
  return [
    sweeps.Entry(
      name=f"{method}/{_WHOLE}/seed{seed}",
      launcher="experiments.active_learning",
      config=f"experiments/configs/{config}.py:{method}",
      overrides={"seed": seed},
    )
    for seed in seeds
    for method in methods
  ]


def _entry(
  launcher: str,
  config: str,
  method: str,
  setting: str,
  seed: int,
  overrides: Mapping[str, Any],
) -> sweeps.Entry:
  return sweeps.Entry(
    name=f"{method}/{setting}/seed{seed}",
    launcher=f"experiments.{launcher}",
    config=f"experiments/configs/{launcher}/{config}.py:{method}",
    overrides={"seed": seed, **overrides},
  )


def accuracies(results: Results) -> dict[str, dict[str, list[float]]]:
  """Accuracies (or mean IoU) in per cent by method and column, for each seed.

  Args:
    results: records of `experiments.classify` by the entries' names.

  Returns:
    Columns are sparsities in per cent, or the bits of each grid after "full".
  """
  found: dict[str, dict[str, list[float]]] = collections.defaultdict(
    lambda: collections.defaultdict(list)
  )
  for name, result in results.items():
    method, setting, _ = name.split("/")
    if "grids" not in result:
      column = f"{100 * float(setting):.1f} %"
      found[method][column].append(100 * accuracy_figures.score(result))
      continue
    row = method if setting == _WHOLE else f"{method} @ ({setting})"
    found[row][_FULL].append(100 * result["accuracy"])
    for grid in result["grids"]:
      bits = f"({grid['weight_bits']}, {grid['activation_bits']})"
      found[row][bits].append(100 * grid["accuracy"])
  return {method: dict(columns) for method, columns in found.items()}


def rows(results: Results) -> list[list[str]]:
  """Mean and deviation over seeds, a row for each method; titles first."""
  found = accuracies(results)
  columns = list(dict.fromkeys(c for row in found.values() for c in row))
  if _FULL not in columns:
    columns.sort(key=lambda column: float(column.split()[0]))
  table = [["method", *columns]]
  for method, row in found.items():
    cells = [_cell(row[c]) if c in row else "-" for c in columns]
    table.append([method, *cells])
  return table


def _cell(values: Sequence[float]) -> str:
  return f"{np.mean(values):.1f} +- {np.std(values):.1f}"


def size_rows(results: Results) -> list[list[str]]:
  """Parameters and operations that are left, means over seeds."""
  groups = collections.defaultdict(list)
  for name, result in results.items():
    groups[tuple(name.split("/")[:2])].append(result)
  titles = ["method", "setting", accuracy_figures.score_name(results)]
  table = [[*titles, "parameters left", "FLOPs left"]]
  for (method, setting), group in groups.items():
    parts = [
      np.mean([one[f"{what}_left"] / one[what] for one in group])
      for what in ("parameters", "flops")
    ]
    accuracy = np.mean([100 * accuracy_figures.score(one) for one in group])
    table.append(
      [
        method,
        setting,
        f"{accuracy:.1f}",
        *(f"{100 * part:.1f} %" for part in parts),
      ]
    )
  return table


def write(results: Results, workdir: pathlib.Path, *, title: str) -> None:
  """Writes `table.md`, and figures of what is left by pruning."""
  title_of_scores = accuracy_figures.score_name(results)
  tables = {title_of_scores[0].upper() + title_of_scores[1:]: rows(results)}
  pruned = {name: one for name, one in results.items() if "grids" not in one}
  if pruned:
    tables["Size"] = size_rows(pruned)
  text = "\n".join(
    f"## {name}\n\n{evaluate.markdown(table)}" for name, table in tables.items()
  )
  with files.replacing(workdir / "table.md") as path:
    path.write_text(text)
  rounded = {name: one for name, one in results.items() if "grids" in one}
  if rounded:
    accuracy_figures.quantization(
      workdir / "quantization.png", rounded, title=title
    )
  learned = {name: one for name, one in results.items() if "rounds" in one}
  for over in ("seconds", "num_labelled") if learned else ():
    accuracy_figures.learning(
      workdir / f"accuracy_{over}.png", learned, over=over
    )
  for over in ("parameters", "flops") if pruned else ():
    accuracy_figures.pruning(
      workdir / f"accuracy_{over}.png", pruned, title=title, over=over
    )


def main(argv: Sequence[str]) -> None:
  """Runs, tabulates and draws."""
  options = flags.FLAGS
  workdir = pathlib.Path(options.workdir)
  results: dict[str, dict[str, Any]] = {}
  for entry in sweep.read_sweep(options.sweep):
    results[entry.name] = sweep.run_entry(entry, workdir / entry.name, argv[1:])
    # After each one: a comparison that takes days can be looked at.
    with files.replacing(workdir / "results.jsonl") as path:
      lines = (json.dumps({"name": n} | r) for n, r in results.items())
      path.write_text("\n".join(lines) + "\n")
    write(results, workdir, title=pathlib.Path(options.sweep).stem)
  print(evaluate.plain(rows(results)), end="")


if __name__ == "__main__":
  flags.DEFINE_string("sweep", None, "The sweep file.", required=True)
  flags.DEFINE_string(
    "workdir", None, "Where runs and results go.", required=True
  )
  app.run(main)
