"""Fits of whole signals by several runs, put together over seeds.

An evaluation of fits (`signals`, with gradients at test time) lists one record
for each of these; the first is the method's own, the others get its name and
theirs.
"""

import collections
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments import weight_figures

# Records of the runs from all seeds, by the method's name.
Fits = Mapping[str, Sequence[Mapping[str, Any]]]

# What of a record is shown, by its title.
_COLUMNS = {
  "PSNR": "psnr",
  "PSNR by frame": "frame_psnr",
  "SSIM": "ssim",
  "LPIPS": "lpips",
}
_DECIMALS = {"SSIM": 3, "LPIPS": 3}


def averaged(results: Mapping[str, Mapping[str, Any]]) -> Fits:
  """The fits of each method.

  Args:
    results: by "method/setting/seed", each with "fits".
  """
  found = collections.defaultdict(list)
  for name, result in results.items():
    method, setting, _ = name.split("/")
    shown = method if setting == "all" else f"{method} {setting}"
    for index, fit in enumerate(result["fits"]):
      found[shown if index == 0 else f"{shown} + {fit['gradient']}"].append(fit)
  return dict(found)


def rows(found: Fits) -> list[list[str]]:
  """What fits reach, mean and deviation over seeds: a table, titles first.

  A column is there where any fit has been measured so, with "-" for a method of
  which not all seeds have.

  Args:
    found: what `averaged` gave.
  """
  columns = {
    title: key
    for title, key in _COLUMNS.items()
    if any(key in fit for same in found.values() for fit in same)
  }
  heads = [head for title in columns for head in (title, "+-")]
  table = [["method", "steps", *heads, "seeds"]]
  for name, same in found.items():
    row = [name, str(same[0]["num_steps"])]
    for title, key in columns.items():
      values = [fit[key] for fit in same if key in fit]
      if len(values) < len(same):
        row += ["-", "-"]
        continue
      digits = _DECIMALS.get(title, 2)
      row += [f"{np.mean(values):.{digits}f}", f"{np.std(values):.{digits}f}"]
    table.append([*row, str(len(same))])
  return table


def draw(path: pathlib.Path, found: Fits, *, title: str) -> None:
  """PSNR after each step of fitting; the band is one deviation over seeds.

  Args:
    path: the file to write.
    found: what `averaged` gave; fits of no steps are left out.
    title: above the axes.
  """
  lines = {
    name: np.array([fit["psnr_by_step"] for fit in same])
    for name, same in found.items()
    if same[0]["num_steps"]
  }
  weight_figures.lines_figure(
    path,
    {name: (np.arange(y.shape[1]), y) for name, y in lines.items()},
    title=title,
    x_label="steps of fitting",
  )
