"""Figures: rate-distortion curves, and pictures side by side.

Matplotlib (extra `plots`) is imported when a figure is drawn, and drawn on its
Agg canvas directly: no display, no global state.
"""

import dataclasses
import math
import os
from collections.abc import Collection, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from inrjax.evaluate import files, metrics, rate_distortion

# Okabe and Ito's palette: distinct to colour-blind readers too.
_COLOURS = (
  "#D55E00",
  "#0072B2",
  "#009E73",
  "#CC79A7",
  "#E69F00",
  "#56B4E9",
  "#000000",
  "#8C6D31",
  "#7F7F7F",
)
_MARKERS = "osD^vPX"
_INK = "#222222"


@dataclasses.dataclass(frozen=True)
class _Style:
  colour: str
  marker: str
  line: str
  width: float
  size: float
  order: int


def rate_distortion_figure(
  path: str | os.PathLike[str],
  curves: Sequence[rate_distortion.Curve],
  *,
  title: str = "",
  metric: str = "psnr",
  metric_label: str = "PSNR (dB)",
  rate_label: str = "bits per pixel",
  rate_scale: Literal["log", "linear"] = "log",
  rate_limits: tuple[float, float] | None = None,
  highlight: Collection[str] = (),
) -> None:
  """Draws curves into one figure, with a legend in the order of the curves.

  Args:
    path: the file to write, atomically; its suffix names the format (.png,
      .pdf, .svg).
    curves: at least one. Points without a finite metric are left out.
    title: above the axes.
    metric: as in `rate_distortion.interpolate`.
    metric_label: of the vertical axis.
    rate_label: of the horizontal axis.
    rate_scale: of the horizontal axis.
    rate_limits: lowest and highest rate shown; by default all there are.
    highlight: names of curves to draw stronger than the rest.

  Raises:
    ImportError: when matplotlib is not installed.
    OSError: when the file cannot be written.
    ValueError: when there is nothing to draw.
  """
  columns, visible = {}, {}
  for index, curve in enumerate(curves):
    seen = _visible(curve, metric, rate_limits)
    if seen[0]:
      visible[index] = seen
      columns[index] = _finite(curve, metric)
  if not columns:
    raise ValueError(
      f"no curve has a finite {metric!r} within {rate_limits or 'any rate'}"
    )
  figure = _figure(8.0, 5.0, dpi=150)
  figure.set_layout_engine("constrained")
  axes = figure.add_subplot()
  handles = {}
  for index, (rates, values) in columns.items():
    style = _style(index, curves[index].name in highlight)
    (handles[index],) = axes.plot(
      rates,
      values,
      label=_plain(curves[index].name),
      color=style.colour,
      marker=style.marker,
      linestyle=style.line,
      linewidth=style.width,
      markersize=style.size,
      markeredgecolor="white",
      markeredgewidth=0.6,
      zorder=style.order,
    )
  axes.set_xscale(rate_scale)
  shown = [rate for rates, _ in visible.values() for rate in rates]
  heights = [value for _, values in visible.values() for value in values]
  low, high = rate_limits or (min(shown), max(shown))
  if rate_scale == "log":
    axes.set_xlim(low / 1.05, high * 1.05)
    _label_log_axis(axes, low / 1.05, high * 1.05)
  else:
    axes.set_xlim(0.0, 1.03 * high)
  room = 0.04 * (max(heights) - min(heights)) or 1.0
  axes.set_ylim(min(heights) - room, max(heights) + room)
  axes.set_xlabel(rate_label)
  axes.set_ylabel(metric_label)
  if title:
    axes.set_title(title, loc="left", fontsize=12, color=_INK)
  axes.grid(True, color="#DDDDDD", linewidth=0.7)
  axes.set_axisbelow(True)
  for side in ("top", "right"):
    axes.spines[side].set_visible(False)
  order = sorted(visible, key=lambda i: -_height(visible, i))
  axes.legend(
    [handles[index] for index in order],
    [_plain(curves[index].name) for index in order],
    loc="center left",
    bbox_to_anchor=(1.01, 0.5),
    frameon=False,
    fontsize=9,
    handlelength=2.4,
    labelspacing=0.7,
  )
  _save(figure, path)


def side_by_side(
  path: str | os.PathLike[str],
  original: npt.ArrayLike,
  reconstruction: npt.ArrayLike,
  *,
  bpp: float,
  name: str = "reconstruction",
  error_gain: float = 4.0,
) -> None:
  """Draws original, reconstruction and amplified error next to each other.

  Pixels are drawn one to one, or by a whole factor larger when the image is
  small, so that nothing is resampled.

  Args:
    path: the file to write, atomically; its suffix names the format.
    original: `[H, W, C]`, uint8 or floats in `[0, 1]`, C 1 or 3.
    reconstruction: of the same shape.
    bpp: its rate in bits per pixel, for the caption.
    name: what made it, for the caption.
    error_gain: factor on the absolute error; black is no error, white an error
      of 255 / `error_gain` levels or more.

  Raises:
    ImportError: when matplotlib is not installed.
    OSError: when the file cannot be written.
    ValueError: when the shapes differ or are no image's.
  """
  a, b = metrics.as_uint8(original), metrics.as_uint8(reconstruction)
  quality = metrics.psnr(a, b)
  if a.ndim != 3 or a.shape[2] not in (1, 3):
    raise ValueError(f"image has shape {a.shape}; give [H, W, 1] or [H, W, 3]")
  if not error_gain > 0:
    raise ValueError(f"error_gain is {error_gain}; it must be positive")
  error = np.abs(a.astype(np.float64) - b.astype(np.float64)) * error_gain
  decibels = "lossless" if math.isinf(quality) else f"{quality:.2f} dB"
  panels = (
    ("original", f"{a.shape[1]} x {a.shape[0]} pixels", a),
    (name, f"{decibels} at {bpp:.3f} bpp", b),
    (
      f"absolute error x {error_gain:g}",
      f"largest {int(error.max() / error_gain + 0.5)} of 255",
      np.minimum(error, 255.0).astype(np.uint8),
    ),
  )
  _panels(path, panels)


def _panels(
  path: str | os.PathLike[str],
  panels: Sequence[tuple[str, str, npt.NDArray[np.uint8]]],
) -> None:
  """Equal panels in a row, two lines of caption above each."""
  height, width = panels[0][2].shape[:2]
  # Captions of about 30 characters need 260 pixels at this size of type.
  least = 260
  scale = max(1, -(-least // max(height, width)))
  slot = max(width * scale, least)
  gap, caption, edge, dpi = 12, 46, 12, 100
  total_width = 2 * edge + len(panels) * slot + (len(panels) - 1) * gap
  total_height = 2 * edge + caption + height * scale
  figure = _figure(total_width / dpi, total_height / dpi, dpi=dpi)
  for index, (head, line, image) in enumerate(panels):
    left = edge + index * (slot + gap)
    enlarged = image.repeat(scale, axis=0).repeat(scale, axis=1)
    if enlarged.shape[2] == 1:
      enlarged = enlarged.repeat(3, axis=2)
    # figimage copies samples to the canvas; imshow would resample them.
    figure.figimage(enlarged, left, edge, origin="upper")
    for text, size, weight, down in (
      (head, 11, "bold", 2),
      (line, 10, "normal", 23),
    ):
      caption_text = figure.text(
        left / total_width,
        1 - (edge + down) / total_height,
        text,
        fontsize=size,
        fontweight=weight,
        color=_INK,
        va="top",
        ha="left",
      )
      length = caption_text.get_window_extent().width
      caption_text.set_fontsize(size * min(1.0, 0.97 * slot / length))
  _save(figure, path)


def _plain(name: str) -> str:
  """A name as it is: between dollars matplotlib reads formulas."""
  return name.replace("$", r"\$")


def _finite(
  curve: rate_distortion.Curve, metric: str
) -> tuple[list[float], list[float]]:
  """Rates and values of the points that have a finite value."""
  pairs = [
    (point.bpp, value)
    for point in curve.points
    if (value := point.value(metric)) is not None and math.isfinite(value)
  ]
  return [rate for rate, _ in pairs], [value for _, value in pairs]


def _visible(
  curve: rate_distortion.Curve,
  metric: str,
  limits: tuple[float, float] | None,
) -> tuple[list[float], list[float]]:
  """Finite points within the limits, and the curve's values at the limits."""
  pairs = list(zip(*_finite(curve, metric), strict=True))
  if limits is not None:
    low, high = limits
    if not 0 < low < high:
      raise ValueError(f"rate_limits is {limits}; give 0 < low < high")
    pairs = [pair for pair in pairs if low <= pair[0] <= high]
    for edge in limits:
      value = rate_distortion.interpolate(curve, edge, metric)
      if value is not None and edge not in {rate for rate, _ in pairs}:
        pairs.append((edge, value))
  pairs.sort()
  return [rate for rate, _ in pairs], [value for _, value in pairs]


def _height(
  columns: dict[int, tuple[list[float], list[float]]], index: int
) -> float:
  """Where a curve stands among the others, for the order of the legend.

  The mean over the other curves of the gap at the rates both reach; a curve
  that meets no other falls back on its best value's rank near zero.
  """
  rates, values = columns[index]
  gaps = []
  for other, (other_rates, other_values) in columns.items():
    low, high = max(rates[0], other_rates[0]), min(rates[-1], other_rates[-1])
    if other != index and low <= high:
      grid = np.geomspace(low, high, 16)
      mine = np.interp(np.log(grid), np.log(rates), values)
      theirs = np.interp(np.log(grid), np.log(other_rates), other_values)
      gaps.append(float(np.mean(mine - theirs)))
  return metrics.mean(gaps) if gaps else 0.0


def _style(index: int, strong: bool) -> _Style:
  colour = _COLOURS[index % len(_COLOURS)]
  return _Style(
    colour=colour,
    marker=_MARKERS[index % len(_MARKERS)],
    line=("-", "--", ":")[index // len(_COLOURS) % 3],
    width=2.6 if strong else 1.4,
    size=7.0 if strong else 4.5,
    order=4 if strong else 3,
  )


def _label_log_axis(axes: Any, low: float, high: float) -> None:
  """Plain numbers, at 1, 2, 5 times powers of ten where these are enough."""
  from matplotlib import ticker

  first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
  steps = (1, 2, 5) if last - first <= 4 else (1,)
  ticks = [
    step * 10.0**power for power in range(first, last + 1) for step in steps
  ]
  ticks = [tick for tick in ticks if low <= tick <= high]
  axes.xaxis.set_major_locator(
    ticker.FixedLocator(ticks)
    if len(ticks) >= 3
    else ticker.MaxNLocator(nbins=5, steps=[1, 2, 5, 10])
  )
  axes.xaxis.set_major_formatter(
    ticker.FuncFormatter(lambda value, _: f"{value:g}")
  )
  axes.xaxis.set_minor_locator(ticker.NullLocator())


def _figure(width: float, height: float, *, dpi: int) -> Any:
  try:
    from matplotlib import figure
    from matplotlib.backends import backend_agg
  except ImportError as error:
    raise ImportError(
      "figures need matplotlib: pip install 'inrjax[plots]'"
    ) from error
  made = figure.Figure(figsize=(width, height), dpi=dpi, facecolor="white")
  backend_agg.FigureCanvasAgg(made)
  return made


def _save(figure: Any, path: str | os.PathLike[str]) -> None:
  with files.replacing(path) as temporary:
    figure.savefig(temporary, dpi=figure.dpi)
