"""Figures of a comparison of sparse networks.

PSNR against surviving parameters (Meta-SparseINR figures 2 and 3, MSCN figure
3), reconstructions side by side (figure 4 of both), and what survives: by layer
and again at other budgets (MSCN figures 4a and 5).
"""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments import levels as levels_lib
from inrjax.evaluate import plots

Levels = Mapping[str, Sequence[levels_lib.Level]]


def parameters_figure(path: pathlib.Path, found: Levels, *, title: str) -> None:
  """PSNR against surviving parameters; the band is one deviation over seeds.

  Args:
    path: the file to write.
    found: levels by method.
    title: above the axes.
  """
  figure, axes = _axes(title, "surviving weights", "PSNR (dB)")
  for index, (method, levels) in enumerate(found.items()):
    _banded(
      axes,
      index,
      method,
      np.array([max(level.prunable, 0.5) for level in levels]),
      np.array([level.psnr for level in levels]),
      np.array([level.deviation for level in levels]),
      marked=True,
    )
  sizes = [max(x.prunable, 0.5) for all_ in found.values() for x in all_]
  axes.set_xscale("log")
  plots._label_log_axis(axes, min(sizes) / 1.05, max(sizes) * 1.05)
  _finish(figure, axes, path)


def steps_figure(
  path: pathlib.Path,
  chosen: Mapping[str, levels_lib.Level],
  *,
  methods: Sequence[str],
  title: str,
) -> None:
  """PSNR after each step of fitting; the band is one deviation over seeds.

  Args:
    path: the file to write.
    chosen: a level of each method.
    methods: all of them, for colours that are those of the other figures.
    title: above the axes.
  """
  figure, axes = _axes(title, "steps of fitting", "PSNR (dB)")
  are_alike = len({round(level.prunable) for level in chosen.values()}) == 1
  for method, level in chosen.items():
    _banded(
      axes,
      methods.index(method),
      method if are_alike else f"{method} ({level.prunable:,.0f})",
      np.arange(level.psnr_by_step.shape[1]),
      level.psnr_by_step.mean(axis=0),
      level.psnr_by_step.std(axis=0),
      marked=False,
    )
  _finish(figure, axes, path)


def lines_figure(
  path: pathlib.Path,
  lines: Mapping[str, tuple[np.ndarray, np.ndarray]],
  *,
  title: str,
  x_label: str,
) -> None:
  """PSNR against anything; the band is one deviation over seeds.

  Args:
    path: the file to write.
    lines: `[T]` places and `[seeds, T]` PSNRs, by their names.
    title: above the axes.
    x_label: of the horizontal axis.
  """
  figure, axes = _axes(title, x_label, "PSNR (dB)")
  for index, (name, (x, psnr)) in enumerate(lines.items()):
    mean, deviation = psnr.mean(axis=0), psnr.std(axis=0)
    _banded(axes, index, name, x, mean, deviation, marked=True)
  _finish(figure, axes, path)


def layers_figure(path: pathlib.Path, found: Levels, *, title: str) -> None:
  """The part of each layer that survives, at every level that is not dense.

  Args:
    path: the file to write.
    found: levels by method.
    title: above the figure.

  Raises:
    ValueError: if every level is dense.
  """
  known = {
    method: [
      level
      for level in levels
      if level.layers is not None and level.layers.min() < 1
    ]
    for method, levels in found.items()
  }
  known = {method: levels for method, levels in known.items() if levels}
  if not known:
    raise ValueError("No level is sparse: there are no layers to compare.")
  figure, panels = _panels(list(known), title)
  for axes, levels in zip(panels, known.values(), strict=True):
    # A run that prunes has many levels; some tell the tale.
    shown = levels[:: -(-len(levels) // 5)][::-1]
    for index, level in enumerate(shown):
      assert level.layers is not None
      count = level.layers.shape[1]
      width = 0.8 / len(shown)
      axes.bar(
        np.arange(count) + (index - (len(shown) - 1) / 2) * width,
        100 * level.layers.mean(axis=0),
        width,
        yerr=100 * level.layers.std(axis=0),
        error_kw={"linewidth": 0.8, "ecolor": plots._INK},
        color=plots._style(index, False).colour,
        label=f"{level.prunable:,.0f}",
      )
    axes.set_xticks(range(count), [str(i + 1) for i in range(count)])
    axes.set_xlabel("layer")
    axes.legend(frameon=False, fontsize=7, title="weights", title_fontsize=7)
  panels[0].set_ylabel("surviving (%)")
  plots._save(figure, path)


def reuse_figure(
  path: pathlib.Path, pairs: Sequence[levels_lib.Reuse], *, title: str
) -> None:
  """Part of a smaller budget's pattern that a larger one has, and chance.

  Args:
    path: the file to write.
    pairs: at least one.
    title: above the figure.
  """
  methods = list(dict.fromkeys(pair.method for pair in pairs))
  figure, panels = _panels(methods, title)
  for axes, method in zip(panels, methods, strict=True):
    mine = sorted(pair[1:] for pair in pairs if pair.method == method)
    for index, few in enumerate(dict.fromkeys(pair[0] for pair in mine)):
      same = [pair[1:] for pair in mine if pair[0] == few]
      many, fraction, _ = np.array(same).T
      style = plots._style(index, False)
      axes.plot(
        many,
        100 * fraction,
        color=style.colour,
        marker=style.marker,
        markersize=5,
        label=f"of {few:,.0f}",
      )
    chance = np.array(sorted({(pair[1], pair[3]) for pair in mine})).T
    axes.plot(
      chance[0],
      100 * chance[1],
      color=plots._INK,
      linestyle="--",
      marker=".",
      label="chance",
    )
    axes.set_ylim(0, 103)
    axes.set_xlabel("weights of the larger budget")
    axes.legend(frameon=False, fontsize=7)
  panels[0].set_ylabel("used again (%)")
  plots._save(figure, path)


def pictures_figure(
  path: pathlib.Path,
  originals: Sequence[np.ndarray],
  columns: Mapping[str, Sequence[np.ndarray]],
  captions: Mapping[str, Sequence[str]],
) -> None:
  """A row for each image: the original, then every method's reconstruction.

  Pixels are drawn one to one, or larger by a whole factor.

  Args:
    path: the file to write.
    originals: `[H, W, C]` uint8 each, of one size.
    columns: reconstructions like them, by the title of the column.
    captions: one for each of them.
  """
  height, width = originals[0].shape[:2]
  least, gap, caption, edge, dpi = 150, 10, 22, 12, 100
  scale = max(1, -(-least // max(height, width)))
  head = 24
  slot, row = width * scale + gap, height * scale + caption
  total_width = 2 * edge + (1 + len(columns)) * slot - gap
  total_height = 2 * edge + head + len(originals) * row
  figure = plots._figure(total_width / dpi, total_height / dpi, dpi=dpi)

  def write(text: str, left: int, top: int, **font: Any) -> None:
    drawn = figure.text(
      left / total_width,
      1 - top / total_height,
      text,
      color=plots._INK,
      va="top",
      **font,
    )
    length = drawn.get_window_extent().width
    drawn.set_fontsize(drawn.get_fontsize() * min(1.0, (slot - gap) / length))

  every = {"original": originals} | dict(columns)
  for column, (title, pictures) in enumerate(every.items()):
    left = edge + column * slot
    write(title, left, edge, fontsize=10, fontweight="bold")
    for line, picture in enumerate(pictures):
      top = edge + head + line * row
      figure.figimage(
        _enlarged(picture, scale),
        left,
        total_height - top - height * scale,
        origin="upper",
      )
      if title in captions:
        under = top + height * scale + 3
        write(captions[title][line], left, under, fontsize=9)
  plots._save(figure, path)


def _enlarged(picture: np.ndarray, scale: int) -> np.ndarray:
  large = picture.repeat(scale, axis=0).repeat(scale, axis=1)
  return large.repeat(3, axis=2) if large.shape[2] == 1 else large


def _axes(title: str, x_label: str, y_label: str) -> tuple[Any, Any]:
  figure = plots._figure(8.0, 5.0, dpi=150)
  figure.set_layout_engine("constrained")
  axes = figure.add_subplot()
  axes.set_title(title, loc="left", fontsize=12, color=plots._INK)
  axes.set_xlabel(x_label)
  axes.set_ylabel(y_label)
  return figure, axes


def _panels(heads: Sequence[str], title: str) -> tuple[Any, list[Any]]:
  """A figure of panels with one scale, three in a row."""
  columns = min(3, len(heads))
  lines = -(-len(heads) // columns)
  figure = plots._figure(max(5.0, 4.2 * columns), 0.6 + 2.6 * lines, dpi=150)
  figure.set_layout_engine("constrained")
  grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
  panels = list(grid.flat)
  for axes, head in zip(panels, heads, strict=False):
    axes.set_title(head, loc="left", fontsize=10, color=plots._INK)
    _plain_axes(axes)
  for axes in panels[len(heads) :]:
    axes.remove()
  figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=plots._INK)
  return figure, panels[: len(heads)]


def _plain_axes(axes: Any) -> None:
  axes.grid(True, color="#DDDDDD", linewidth=0.7)
  axes.set_axisbelow(True)
  for side in ("top", "right"):
    axes.spines[side].set_visible(False)


def _banded(
  axes: Any,
  index: int,
  label: str,
  x: np.ndarray,
  mean: np.ndarray,
  deviation: np.ndarray,
  *,
  marked: bool,
) -> None:
  style = plots._style(index, False)
  axes.fill_between(
    x,
    mean - deviation,
    mean + deviation,
    color=style.colour,
    alpha=0.18,
    linewidth=0,
  )
  axes.plot(
    x,
    mean,
    label=label,
    color=style.colour,
    linestyle=style.line,
    linewidth=style.width,
    marker=style.marker if marked else None,
    markersize=style.size,
    markeredgecolor="white",
    markeredgewidth=0.6,
    zorder=style.order,
  )


def _finish(figure: Any, axes: Any, path: pathlib.Path) -> None:
  _plain_axes(axes)
  handles, labels = axes.get_legend_handles_labels()
  # In the order of the lines' ends, so that the eye finds them.
  ends = [_last_finite(handle.get_ydata()) for handle in handles]
  order = sorted(range(len(handles)), key=lambda i: -ends[i])
  axes.legend(
    [handles[i] for i in order],
    [labels[i] for i in order],
    loc="center left",
    bbox_to_anchor=(1.01, 0.5),
    frameon=False,
    fontsize=9,
  )
  # Inches that the names take.
  needed = 0.5 + 0.19 * len(labels)
  figure.set_figheight(max(figure.get_figheight(), needed))
  plots._save(figure, path)


def _last_finite(values: Any) -> float:
  finite = [float(v) for v in values if math.isfinite(v)]
  return finite[-1] if finite else -math.inf
