"""Runs a comparison, goes on where it stopped, and draws it.

  python -m experiments.sweep --sweep=experiments/sweeps/<name>.py
      --workdir=DIR [-- flags for every launcher, such as --data_dir=DIR]

A sweep is data: `get_sweep()` returns entries. Each runs in a process and a
folder of its own; one whose result is there, from the same settings, is
skipped. `results.jsonl` holds every result with all its settings, and
`table.md` and `curves.png` compare the methods. For sparse networks there are
also `parameters.png`, and at one number of weights (`--at`) `steps.png` and
`pictures.png`; `layers.png` and `reuse.png` show which weights survive. Fits of
whole clips, sounds or fields have `steps.png` too.
Where checkpoints on the way were evaluated too, `training_time.png` and
`targets.png` show them.
"""

import collections
import importlib.util
import json
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import app, flags

from experiments import (
  evaluation,
  fits,
  levels,
  progress,
  sweeps,
  weight_figures,
  weights,
)
from inrjax import data, evaluate
from inrjax.evaluate import files

_ENTRY = "entry.json"
# What rates are, by the column that has them: where all rows have the first, it
# is taken, and so on.
_RATES = {
  "in files": "file_bpp",
  "in files, without headers and metadata": "payload_bpp",
  "estimated, not files": "estimated_bpp",
  "counted, not files": "nominal_bpp",
}


def read_sweep(path: str) -> list[sweeps.Entry]:
  """The entries of a sweep file.

  Args:
    path: of a Python file with a function `get_sweep`.

  Raises:
    ValueError: for no such file, or names that repeat or have not three parts.
  """
  spec = importlib.util.spec_from_file_location("sweep", path)
  if spec is None or spec.loader is None or not pathlib.Path(path).is_file():
    raise ValueError(f"{path} is not a Python file with a sweep.")
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  entries = [sweeps.Entry(*entry) for entry in module.get_sweep()]
  counts = collections.Counter(entry.name for entry in entries)
  wrong = [n for n, k in counts.items() if k > 1 or len(n.split("/")) != 3]
  if wrong:
    raise ValueError(
      f"Entries need names of their own, method/setting/seed; got {wrong}."
    )
  return entries


def run_entry(
  entry: sweeps.Entry, folder: pathlib.Path, extra: Sequence[str]
) -> dict[str, Any]:
  """Trains and evaluates, unless the result is there already.

  Args:
    entry: what to run.
    folder: its working folder.
    extra: further flags.

  Returns:
    The result.

  Raises:
    ValueError: if the folder holds a run of other settings.
    RuntimeError: if the run fails; its output is in `output.txt`.
  """
  settings = json.loads(json.dumps([*entry, *extra]))
  note, result = folder / _ENTRY, folder / evaluation.RESULTS
  if note.exists() and json.loads(note.read_text()) != settings:
    raise ValueError(
      f"{folder} holds a run of other settings; remove it, or choose another "
      "--workdir."
    )
  if result.exists():
    print(f"{entry.name}: done before, skipped")
    return _read(folder)
  print(f"{entry.name}: running", flush=True)
  with files.replacing(note) as path:
    path.write_text(json.dumps(settings))
  command = [sys.executable, "-m", entry.launcher, f"--config={entry.config}"]
  command += [f"--workdir={folder}", "--mode=train", "--mode=evaluate"]
  command += [f"--config.{k}={v}" for k, v in entry.overrides.items()]
  with open(folder / "output.txt", "w", encoding="utf-8") as output:
    done = subprocess.run(
      [*command, *extra], stdout=output, stderr=subprocess.STDOUT, check=False
    )
  if done.returncode or not result.exists():
    raise RuntimeError(
      f"{entry.name} failed ({done.returncode}); see {output.name}."
    )
  return _read(folder)


def unquantised_rows(
  results: Mapping[str, Mapping[str, Any]],
) -> list[list[str]]:
  """Mean and deviation over seeds of the best PSNR after adaptation.

  Args:
    results: by the entries' names.

  Returns:
    A table, titles first.
  """
  groups = _by_setting(results)
  rows = [["method", "setting", "values stored", "mean PSNR", "+-", "seeds"]]
  for (method, setting), group in groups.items():
    psnrs = [max(r["psnr"] for r in one["unquantised"]) for one in group]
    stored = np.mean([one["num_modulations"] for one in group])
    rows.append(
      [
        method,
        setting,
        f"{stored:.1f}",
        f"{np.mean(psnrs):.2f}",
        f"{np.std(psnrs):.2f}",
        str(len(group)),
      ]
    )
  return rows


def curves(
  results: Mapping[str, Mapping[str, Any]],
) -> list[evaluate.Curve]:
  """One curve per method, over its settings, bits and quantiser ranges.

  Args:
    results: by the entries' names.

  Returns:
    Curves of the points that no other point of the method beats; the rate is
    what `rate_kind` says.
  """
  note = rate_kind(results)
  points = collections.defaultdict(list)
  for (method, setting), group in _by_setting(results).items():
    for same in zip(*(one["quantised"] for one in group), strict=True):
      points[method].append(
        evaluate.RatePoint(
          bpp=float(np.mean([row[_RATES[note]] for row in same])),
          psnr=float(np.mean([row["psnr"] for row in same])),
          psnr_of_mean_mse=_mean(same, "psnr_of_mean_mse"),
          setting=f"{setting}, {_quantiser(same[0])}",
        )
      )
  found = []
  for method, all_points in points.items():
    best, _ = evaluate.front(evaluate.Curve(method, tuple(all_points)))
    kept = {float(bpp) for bpp in best}
    found.append(
      evaluate.Curve(
        method,
        tuple(point for point in all_points if point.bpp in kept),
        note,
      )
    )
  return found


def rate_kind(results: Mapping[str, Mapping[str, Any]]) -> str:
  """The first of `_RATES` that all results have: what their rates are."""
  rows = [row for one in results.values() for row in one["quantised"]]
  return next(
    (note for note, key in _RATES.items() if all(key in row for row in rows)),
    [*_RATES][-1],
  )


def _mean(rows: Sequence[Mapping[str, Any]], key: str) -> float | None:
  """The mean of a column, None where it is not measured."""
  if any(key not in row for row in rows):
    return None
  return float(np.mean([row[key] for row in rows]))


def _quantiser(row: Mapping[str, Any]) -> str:
  if "num_bits" in row:
    return f"{row['num_bits']} bits"
  return f"quality {row['quality']:g}"


def _read(folder: pathlib.Path) -> dict[str, Any]:
  result = json.loads((folder / evaluation.RESULTS).read_text())
  config = json.loads((folder / evaluation.CONFIG).read_text())
  return result | {"config": config}


def _by_setting(
  results: Mapping[str, Mapping[str, Any]],
) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
  groups = collections.defaultdict(list)
  for name, result in results.items():
    method, setting, _ = name.split("/")
    groups[method, setting].append(result)
  return dict(groups)


def draw_levels(
  results: levels.Results,
  workdir: pathlib.Path,
  *,
  title: str,
  at: float | None,
) -> dict[str, list[list[str]]]:
  """Draws and tabulates what methods reach at their levels of sparsity.

  Args:
    results: by the entries' names, each with "levels".
    workdir: where runs are and figures go.
    title: of the figures.
    at: surviving weights for the figures of one level; None chooses.

  Returns:
    Tables by their titles.
  """
  found = levels.averaged(results)
  size = at or levels.common_size(found)
  chosen = levels.nearest(found, size)
  if not chosen:
    raise ValueError(f"No method has a level near --at={at:g} weights.")
  weight_figures.parameters_figure(
    workdir / "parameters.png", found, title=title
  )
  weight_figures.steps_figure(
    workdir / "steps.png",
    chosen,
    methods=list(found),
    title=f"{title}, about {size:,.0f} weights",
  )
  _draw_pictures(chosen, workdir)
  tables = {"Surviving weights": levels.rows(found)}
  if any(x.layers is not None and x.layers.min() < 1 for x in _all(found)):
    weight_figures.layers_figure(workdir / "layers.png", found, title=title)
    tables["By layer"] = levels.layer_rows(found)
  pairs = levels.reused(results, workdir)
  if pairs:
    weight_figures.reuse_figure(workdir / "reuse.png", pairs, title=title)
  return tables


def _all(found: Mapping[str, list[levels.Level]]) -> list[levels.Level]:
  return [level for same in found.values() for level in same]


def _draw_pictures(
  chosen: Mapping[str, levels.Level], workdir: pathlib.Path
) -> None:
  """Reconstructions of the first seed, as far as they were kept."""
  kept = {m: level for m, level in chosen.items() if level.pictures}
  if not kept:
    return
  first = next(iter(kept.values()))
  count = len(first.pictures)
  originals = [
    data.read_image(workdir / first.runs[0] / weights.place("original", i))
    for i in range(count)
  ]
  columns, captions = {}, {}
  for method, level in kept.items():
    paths = [workdir / level.runs[0] / place for place in level.pictures]
    columns[method] = [data.read_image(path) for path in paths]
    captions[method] = [
      f"{evaluate.psnr(a, b):.2f} dB, {level.prunable:,.0f}"
      for a, b in zip(originals, columns[method], strict=True)
    ]
  weight_figures.pictures_figure(
    workdir / "pictures.png", originals, columns, captions
  )


def report(
  results: Mapping[str, Mapping[str, Any]],
  workdir: pathlib.Path,
  *,
  title: str,
  at: float | None = None,
) -> list[list[str]]:
  """Writes `table.md`, and the figures that results have something for.

  Args:
    results: by the entries' names.
    workdir: where runs are, and figures go.
    title: of the figures.
    at: see `draw_levels`.

  Returns:
    The first table.
  """
  sparse = {n: one for n, one in results.items() if "levels" in one}
  whole = {n: one for n, one in results.items() if "fits" in one}
  dense = {n: one for n, one in results.items() if n not in sparse | whole}
  tables = {}
  if dense:
    tables["Unquantised"] = unquantised_rows(dense)
  if sparse:
    tables |= draw_levels(sparse, workdir, title=title, at=at)
  if whole:
    found = fits.averaged(whole)
    fits.draw(workdir / "steps.png", found, title=title)
    tables["Fits"] = fits.rows(found)
  on_the_way = progress.collect(results)
  if on_the_way:
    progress.draw(on_the_way, workdir, title=title)
    tables["On the way"] = progress.rows(on_the_way)
  first = next(iter(tables.values()))
  coded = sparse | dense
  if coded:
    lines = curves(coded)
    tables |= {curve.name: evaluate.point_table(curve) for curve in lines}
    evaluate.rate_distortion_figure(
      workdir / "curves.png",
      lines,
      title=title,
      rate_label=f"bits per place ({rate_kind(coded)})",
    )
  text = "\n".join(
    f"## {name}\n\n{evaluate.markdown(rows)}" for name, rows in tables.items()
  )
  with files.replacing(workdir / "table.md") as path:
    path.write_text(text)
  return first


def define_flags() -> None:
  """Not on import: launchers have a flag `--workdir` too."""
  flags.DEFINE_string("sweep", None, "The sweep file.", required=True)
  flags.DEFINE_string(
    "workdir", None, "Where runs and results go.", required=True
  )
  flags.DEFINE_float(
    "at",
    None,
    "Surviving weights at which sparse methods are compared step by step and "
    "in pictures; by default the fewest that most methods reach.",
  )


def main(argv: Sequence[str]) -> None:
  """Runs, tabulates and draws."""
  options = flags.FLAGS
  workdir = pathlib.Path(options.workdir)
  results = {}
  for entry in read_sweep(options.sweep):
    results[entry.name] = run_entry(entry, workdir / entry.name, argv[1:])
    # After each one: a comparison that takes days can be looked at.
    with files.replacing(workdir / "results.jsonl") as path:
      lines = (json.dumps({"name": n} | r) for n, r in results.items())
      path.write_text("\n".join(lines) + "\n")
  first = report(
    results,
    workdir,
    title=pathlib.Path(options.sweep).stem,
    at=options.at,
  )
  print(evaluate.plain(first), end="")


if __name__ == "__main__":
  define_flags()
  app.run(main)
