"""Pictures of accuracies: over what is left, and over what it took to learn."""

import collections
import contextlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from inrjax.evaluate import files

Results = Mapping[str, Mapping[str, Any]]


def score(result: Mapping[str, Any]) -> float:
  """Accuracy, or mean IoU of segmentations, in [0, 1]."""
  return float(result.get("iou", result["accuracy"]))


def score_name(results: Results) -> str:
  """What `score` is for these results."""
  masks = any("iou" in result for result in results.values())
  return "mean IoU" if masks else "accuracy"


def pruning(
  path: pathlib.Path, results: Results, *, title: str, over: str
) -> None:
  """Accuracy over the part of something that is left, a line for each method.

  Args:
    path: the file to write.
    results: by the entries' names.
    title: of the figure.
    over: "parameters" or "flops".
  """
  groups: dict[str, dict[str, list[tuple[float, float]]]] = (
    collections.defaultdict(lambda: collections.defaultdict(list))
  )
  for name, one in results.items():
    method, setting, _ = name.split("/")
    left = 100 * one[f"{over}_left"] / one[over]
    groups[method][setting].append((left, 100 * score(one)))
  with _axes(path) as axes:
    for method, settings in groups.items():
      points = sorted(
        (*np.mean(pairs, axis=0), np.std([y for _, y in pairs]))
        for pairs in settings.values()
      )
      x, y, deviation = np.array(points).T
      axes.errorbar(x, y, deviation, label=method, marker="o", markersize=3)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set(
      xlabel=f"{over} left (%)",
      ylabel=f"test {score_name(results)} (%)",
      title=title,
    )


def learning(path: pathlib.Path, results: Results, *, over: str) -> None:
  """Accuracy over what it took, a line for each method (figures 3.7 and A.1).

  Args:
    path: the file to write.
    results: by names "method/setting/seed"; rounds that all seeds reached are
      averaged.
    over: "seconds" or "num_labelled".
  """
  groups: dict[str, list[np.ndarray]] = collections.defaultdict(list)
  for name, one in results.items():
    points = [(r[over], 100 * r["accuracy"]) for r in one["rounds"]]
    groups[name.split("/")[0]].append(np.array(points))
  labels = {"seconds": "time (s)", "num_labelled": "labelled examples"}
  with _axes(path) as axes:
    for method, runs in groups.items():
      length = min(len(run) for run in runs)
      stacked = np.stack([run[:length] for run in runs])
      x, y = stacked.mean(0).T
      deviation = stacked[..., 1].std(0)
      axes.plot(x, y, label=method)
      axes.fill_between(x, y - deviation, y + deviation, alpha=0.2)
    axes.set(xlabel=labels[over], ylabel="test accuracy (%)")


@contextlib.contextmanager
def _axes(path: pathlib.Path) -> Iterator[Any]:
  """Axes to draw on, which are then written."""
  # Optional, and slow to import.
  from matplotlib.backends import backend_agg
  from matplotlib.figure import Figure

  figure = Figure(figsize=(6, 4), layout="constrained")
  backend_agg.FigureCanvasAgg(figure)
  axes = figure.add_subplot()
  yield axes
  axes.legend()
  with files.replacing(path) as place:
    figure.savefig(place)
