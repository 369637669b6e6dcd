"""Pictures of accuracies: over what is left, and over what it took to learn."""

import collections
import contextlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from inrjax.evaluate import files

Results = Mapping[str, Mapping[str, Any]]


def score(result: Mapping[str, Any]) -> float:
  """Accuracy, or mean IoU of segmentations, in [0, 1]."""
  return float(result.get("iou", result["accuracy"]))


def score_name(results: Results) -> str:
  """What `score` is for these results, and of which images."""
  masks = any("iou" in result for result in results.values())
  splits = sorted({one.get("split", "test") for one in results.values()})
  return f"{' and '.join(splits)} {'mean IoU' if masks else 'accuracy'} (%)"


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
    # Not powers of ten: the range may be within one.
    for which in (
      axes.xaxis.set_major_formatter,
      axes.xaxis.set_minor_formatter,
    ):
      which("{x:g}")
    axes.invert_xaxis()
    axes.set(
      xlabel=f"{over} left (%)",
      ylabel=score_name(results),
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


def quantization(path: pathlib.Path, results: Results, *, title: str) -> None:
  """What rounding does, a line for each method (figures 4.1 and 4.5).

  Accuracy and the predictions' divergence over the bits of the grid; and the
  change of the loss by rounding the weights, as the gradient predicts it and as
  it is, a point for each grid and seed.

  Args:
    path: the file to write.
    results: by the entries' names, each with "grids".
    title: of the figure.
  """
  grids: dict[str, dict[str, list[Mapping[str, Any]]]] = (
    collections.defaultdict(lambda: collections.defaultdict(list))
  )
  for name, one in results.items():
    method, setting, _ = name.split("/")
    row = method if setting == "0" else f"{method} @ ({setting})"
    for grid in one["grids"]:
      bits = f"({grid['weight_bits']}, {grid['activation_bits']})"
      grids[row][bits].append(grid)
  with _figure(path, num_axes=3) as (accuracy, divergence, change):
    for row, by_bits in grids.items():
      for axes, field, factor in (
        (accuracy, "accuracy", 100),
        (divergence, "kl", 1),
      ):
        values = [
          [factor * grid[field] for grid in same] for same in by_bits.values()
        ]
        axes.errorbar(
          [*by_bits],
          [np.mean(v) for v in values],
          [np.std(v) for v in values],
          label=row,
          marker="o",
          markersize=3,
        )
      points = [grid for same in by_bits.values() for grid in same]
      change.scatter(
        [grid["predicted"] for grid in points],
        [grid["induced"] for grid in points],
        s=12,
        label=row,
      )
    bits_label = "(weight, activation) bits"
    accuracy.set(xlabel=bits_label, ylabel=score_name(results), title=title)
    divergence.set(xlabel=bits_label, ylabel="divergence (nats)")
    divergence.set_yscale("log")
    change.set(xlabel="predicted change of the loss", ylabel="induced")
    change.set_xscale("symlog", linthresh=1e-3)
    change.set_yscale("symlog", linthresh=1e-3)
    accuracy.legend()


@contextlib.contextmanager
def _axes(path: pathlib.Path) -> Iterator[Any]:
  """Axes to draw on, which are then written with their legend."""
  with _figure(path, num_axes=1) as (axes,):
    yield axes
    axes.legend()


@contextlib.contextmanager
def _figure(path: pathlib.Path, *, num_axes: int) -> Iterator[Sequence[Any]]:
  """Axes side by side, which are then written."""
  # Optional, and slow to import.
  from matplotlib.backends import backend_agg
  from matplotlib.figure import Figure

  width = 6 if num_axes == 1 else 4.5 * num_axes
  figure = Figure(figsize=(width, 4), layout="constrained")
  backend_agg.FigureCanvasAgg(figure)
  yield figure.subplots(1, num_axes, squeeze=False)[0]
  with files.replacing(path) as place:
    figure.savefig(place)
