"""The levels of sparsity of several runs, put together over seeds.

An evaluation of weights (`weights.evaluate_images`) lists levels; a method may
reach them all in one run, or each in a run of its own. Here they become one
sequence per method.
"""

import collections
import itertools
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments import patterns, weights

# Results by "method/setting/seed".
Results = Mapping[str, Mapping[str, Any]]

# Numbers of parameters that differ by less than a round of pruning are one
# level.
_SAME = 0.8
# What tables show beside the PSNR where it is measured, by its title.
_ALIKE = {"SSIM": "ssim", "LPIPS": "lpips"}


class Level(NamedTuple):
  """One description of the test images, over seeds.

  Attributes:
    method: the method, with its procedure if that is not the plain fit.
    setting: of the runs.
    prunable: parameters that survive, of those that can be pruned; mean.
    stored: the same with those that cannot.
    psnr: mean over seeds, in dB.
    deviation: over seeds.
    alike: `[seeds]` each of "ssim" and "lpips", as far as they are measured.
    psnr_by_step: `[seeds, S + 1]` in dB.
    layers: `[seeds, layers]`, part of each layer that is open, or None.
    pictures: files of the first seed's reconstructions, below its run.
    runs: names of the runs.
  """

  method: str
  setting: str
  prunable: float
  stored: float
  psnr: float
  deviation: float
  alike: Mapping[str, np.ndarray]
  psnr_by_step: np.ndarray
  layers: np.ndarray | None
  pictures: tuple[str, ...]
  runs: tuple[str, ...]


class Reuse(NamedTuple):
  """Patterns of two budgets compared, mean over seeds.

  Attributes:
    method: the method.
    few: parameters of the smaller budget.
    many: of the larger.
    fraction: of the smaller's parameters that the larger has too.
    chance: what is expected at random.
  """

  method: str
  few: float
  many: float
  fraction: float
  chance: float


def averaged(results: Results) -> dict[str, list[Level]]:
  """The levels of each method, fewest parameters first.

  Args:
    results: of all runs; every seed of a setting has the same levels.
  """
  groups = collections.defaultdict(list)
  for name in results:
    method, setting, _ = name.split("/")
    groups[method, setting].append(name)
  found = collections.defaultdict(list)
  for (method, setting), names in groups.items():
    for same in zip(*(results[n]["levels"] for n in names), strict=True):
      level = _average(method, setting, names, same)
      found[level.method].append(level)
  return {
    method: sorted(levels, key=lambda level: level.prunable)
    for method, levels in found.items()
  }


def rows(found: Mapping[str, Sequence[Level]]) -> list[list[str]]:
  """PSNR by surviving parameters: a table, titles first.

  SSIM and LPIPS, mean and deviation over seeds, where every level has them.

  Args:
    found: what `averaged` gave.
  """
  levels = [*itertools.chain.from_iterable(found.values())]
  columns = {
    title: key
    for title, key in _ALIKE.items()
    if all(key in level.alike for level in levels)
  }
  heads = [head for title in ("PSNR", *columns) for head in (title, "+-")]
  table = [["method", "setting", "prunable", "stored", *heads, "seeds"]]
  for level in levels:
    row = [
      level.method,
      level.setting,
      f"{level.prunable:.0f}",
      f"{level.stored:.0f}",
      f"{level.psnr:.2f}",
      f"{level.deviation:.2f}",
    ]
    for key in columns.values():
      values = level.alike[key]
      row += [f"{values.mean():.3f}", f"{values.std():.3f}"]
    table.append([*row, str(len(level.runs))])
  return table


def layer_rows(found: Mapping[str, Sequence[Level]]) -> list[list[str]]:
  """Part of each layer that survives (MSCN fig. 4a): a table, titles first.

  Args:
    found: what `averaged` gave; levels without layers are left out.
  """
  known = [
    (level, level.layers)
    for level in itertools.chain.from_iterable(found.values())
    if level.layers is not None
  ]
  count = max((layers.shape[1] for _, layers in known), default=0)
  table = [["method", "prunable", *(f"layer {i + 1}" for i in range(count))]]
  for level, layers in known:
    cells = [
      f"{100 * mean:.1f} +- {100 * deviation:.1f} %"
      for mean, deviation in zip(layers.mean(0), layers.std(0), strict=True)
    ]
    cells += ["-"] * (count - len(cells))
    table.append([level.method, f"{level.prunable:.0f}", *cells])
  return table


def common_size(found: Mapping[str, Sequence[Level]]) -> float:
  """The number of parameters that most methods have a level at.

  Args:
    found: what `averaged` gave.

  Returns:
    The smallest of those that as many methods reach.
  """
  sizes = {max(x.prunable, 0.5) for all_ in found.values() for x in all_}
  return min(sizes, key=lambda size: (-len(nearest(found, size)), size))


def nearest(
  found: Mapping[str, Sequence[Level]], size: float
) -> dict[str, Level]:
  """Each method's level next to a number of parameters.

  Args:
    found: what `averaged` gave.
    size: parameters that can be pruned and survive.

  Returns:
    By method; one that has no level within a round of pruning is left out.
  """
  chosen = {}
  for method, levels in found.items():

    def distance(level: Level) -> float:
      return abs(math.log(max(level.prunable, 0.5) / size))

    best = min(levels, key=distance)
    if distance(best) < -math.log(_SAME):
      chosen[method] = best
  return chosen


def reused(results: Results, workdir: pathlib.Path) -> list[Reuse]:
  """How much of a smaller budget's pattern larger ones use again (fig. 5).

  Budgets are the settings of a method, trained from the same seed. Runs that
  prune reach their levels one from another, which leaves nothing to compare.

  Args:
    results: of all runs.
    workdir: where the runs are, with their patterns.
  """
  runs = collections.defaultdict(list)
  for name in results:
    method, _, seed = name.split("/")
    path = workdir / name / weights.PATTERNS
    found = patterns.read(path) if path.exists() else {}
    if len(found) == 1:
      runs[method, seed].append(next(iter(found.values())))
  pairs = collections.defaultdict(list)
  for (method, _), kept in runs.items():
    kept.sort(key=lambda pattern: int(pattern.sum()))
    for (i, few), (j, many) in itertools.combinations(enumerate(kept), 2):
      dense = few.shape != many.shape or few.all() or not few.any()
      if not dense:
        shared = patterns.reuse(few, many)
        pairs[method, i, j].append((few.sum(), many.sum(), *shared))
  return [
    Reuse(method, *map(float, np.mean(same, axis=0)))
    for (method, _, _), same in pairs.items()
  ]


def _average(
  method: str,
  setting: str,
  names: Sequence[str],
  same: Sequence[Mapping[str, Any]],
) -> Level:
  psnrs = [one["psnr"] for one in same]
  procedure = same[0]["procedure"]
  layers = None
  if all("layers" in one for one in same):
    layers = np.array(
      [[x["open"] / x["size"] for x in one["layers"]] for one in same]
    )
  return Level(
    method=method if procedure == "fit" else f"{method} + {procedure}",
    setting=setting,
    prunable=float(np.mean([one["prunable"] for one in same])),
    stored=float(np.mean([one["stored"] for one in same])),
    psnr=float(np.mean(psnrs)),
    deviation=float(np.std(psnrs)),
    alike={
      key: np.array([one[key] for one in same])
      for key in _ALIKE.values()
      if all(key in one for one in same)
    },
    psnr_by_step=np.array([one["psnr_by_step"] for one in same]),
    layers=layers,
    pictures=tuple(same[0].get("pictures", ())),
    runs=tuple(names),
  )
