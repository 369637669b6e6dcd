"""Pictures of signals that are no images, before and after a codec.

Maps, spectrograms, slices, shaded shapes and frames of clips, each beside what
a codec made of it and, where it can be seen, their difference. Matplotlib
(extra `plots`) is imported when a picture is drawn, as in `plots`.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from inrjax.evaluate import plots, voxel_views

Path = str | os.PathLike[str]
Array = npt.NDArray[Any]

_VALUES, _ERRORS, _MISSING = "viridis", "RdBu_r", "#BBBBBB"
# Of a spectrogram.
_WINDOW_SECONDS, _HOP_SECONDS, _FLOOR = 0.025, 0.005, -80.0


def field_maps(
  path: Path,
  original: npt.ArrayLike,
  decoded: npt.ArrayLike,
  *,
  latitudes: npt.ArrayLike,
  longitudes: npt.ArrayLike,
  unit: str = "",
  name: str = "decoded",
  quantity: str = "",
) -> None:
  """Draws a field, what a codec made of it, and their difference as maps.

  Args:
    path: the file to write, atomically; its suffix names the format.
    original: `[H, W]`; missing values are NaN and drawn grey.
    decoded: `[H, W]`.
    latitudes: `[H]` in degrees, rising or falling.
    longitudes: `[W]` in degrees, rising.
    unit: of the values.
    name: what made `decoded`, for its caption.
    quantity: what the values are, for the colour bar.

  Raises:
    ImportError: when matplotlib is not installed.
    OSError: when the file cannot be written.
    ValueError: for shapes that do not fit, or nothing but missing values.
  """
  before, after, error = _compared(original, decoded, 2)
  rows, columns = (np.asarray(a, np.float64) for a in (latitudes, longitudes))
  if before.shape != (len(rows), len(columns)):
    raise ValueError(
      f"The field has shape {before.shape}, its axes {len(rows)} latitudes "
      f"and {len(columns)} longitudes."
    )
  edges = _edges(columns), np.clip(_edges(rows), -90, 90)
  ratio = abs(np.ptp(edges[1]) / np.ptp(edges[0]))
  figure = plots._figure(12.0, 1.5 + 3.6 * ratio, dpi=120)
  figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
  panels = figure.subplots(1, 3, sharey=True)
  low, high = _limits(before)
  largest = _bulk(error)
  shown = (
    ("original", before, _VALUES, low, high, _with_unit(quantity, unit)),
    (name, after, _VALUES, low, high, _with_unit(quantity, unit)),
    (_error_title(error, unit), error, _ERRORS, -largest, largest,
     _with_unit("difference", unit)),
  )  # fmt: skip
  for axes, (title, values, colours, least, most, label) in zip(
    panels, shown, strict=True
  ):
    axes.set_facecolor(_MISSING)
    mesh = axes.pcolormesh(
      *edges, values, cmap=colours, vmin=least, vmax=most, rasterized=True
    )
    axes.set_aspect("equal")
    _degrees(axes)
    _title(axes, title)
    bar = figure.colorbar(
      mesh,
      ax=axes,
      orientation="horizontal",
      aspect=35,
      pad=0.04,
      extend=_ends(values, least, most),
    )
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.ax.locator_params(nbins=6)
  panels[0].set_ylabel("latitude", fontsize=9)
  plots._save(figure, path)


def sound_views(
  path: Path,
  original: npt.ArrayLike,
  decoded: npt.ArrayLike,
  *,
  rate: int,
  name: str = "decoded",
) -> None:
  """Draws waveforms and spectrograms of a sound before and after a codec.

  Spectra are of windows of 25 ms (Hann), in dB below the loudest of the
  original.

  Args:
    path: the file to write, atomically; its suffix names the format.
    original: `[T]`, int16 or floats in [-1, 1], of at least 25 ms.
    decoded: `[T]`, of the same type.
    rate: samples a second.
    name: what made `decoded`, for its caption.

  Raises:
    ImportError: when matplotlib is not installed.
    OSError: when the file cannot be written.
    ValueError: for shapes that do not fit, or a sound that is too short.
  """
  before, after, error = _compared(original, decoded, 1)
  if np.asarray(original).dtype.kind in "iu":
    scale = float(np.iinfo(np.asarray(original).dtype).max) + 1
    before, after, error = before / scale, after / scale, error / scale
  window = round(_WINDOW_SECONDS * rate)
  if len(before) < window:
    raise ValueError(
      f"The sound has {len(before)} samples; a spectrum needs {window}."
    )
  figure = plots._figure(12.0, 5.0, dpi=120)
  figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
  grid = figure.subplots(
    2, 3, sharex=True, sharey="row", gridspec_kw={"height_ratios": (1, 1.6)}
  )
  spectra = [_spectrum(x, window, rate) for x in (before, after, error)]
  loudest = max(float(spectra[0].max()), 1e-12)
  times = np.arange(len(before)) / rate
  seconds = len(before) / rate
  titles = ("original", name, "difference")
  for index, (title, wave) in enumerate(
    zip(titles, (before, after, error), strict=True)
  ):
    above, below = grid[:, index]
    above.plot(times, wave, color=plots._COLOURS[1], linewidth=0.4)
    above.set_xlim(0, seconds)
    above.grid(True, color="#DDDDDD", linewidth=0.6)
    above.set_axisbelow(True)
    _title(above, title)
    decibels = 20 * np.log10(np.maximum(spectra[index] / loudest, 1e-12))
    image = below.imshow(
      decibels,
      origin="lower",
      aspect="auto",
      extent=(0, seconds, 0, rate / 2000),
      cmap="magma",
      vmin=_FLOOR,
      vmax=0,
      interpolation="nearest",
    )
    below.set_xlabel("time (s)", fontsize=9)
    for axes in (above, below):
      axes.tick_params(labelsize=8)
  bound = 1.05 * max(_largest(before), _largest(after))
  grid[0, 0].set_ylim(-bound, bound)
  grid[0, 0].set_ylabel("amplitude", fontsize=9)
  grid[1, 0].set_ylabel("frequency (kHz)", fontsize=9)
  bar = figure.colorbar(image, ax=grid[1, :], pad=0.01)
  bar.set_label("dB", fontsize=9)
  bar.ax.tick_params(labelsize=8)
  plots._save(figure, path)


def volume_slices(
  path: Path,
  original: npt.ArrayLike,
  decoded: npt.ArrayLike,
  *,
  spacing: Sequence[float] = (1.0, 1.0, 1.0),
  unit: str = "",
  name: str = "decoded",
) -> None:
  """Draws the three middle slices of a volume before and after a codec.

  Args:
    path: the file to write, atomically; its suffix names the format.
    original: `[X, Y, Z]`.
    decoded: `[X, Y, Z]`.
    spacing: lengths from voxel to voxel along the axes.
    unit: of the values.
    name: what made `decoded`, for its caption.

  Raises:
    ImportError: when matplotlib is not installed.
    OSError: when the file cannot be written.
    ValueError: for shapes that do not fit.
  """
  before, after, error = _compared(original, decoded, 3)
  low, high = _limits(before)
  largest = _bulk(error)
  rows = (
    ("original", before, "gray", low, high),
    (name, after, "gray", low, high),
    (_error_title(error, unit), error, _ERRORS, -largest, largest),
  )
  planes = ((0, 1), (0, 2), (1, 2))
  sizes = [n * s for n, s in zip(before.shape, spacing, strict=True)]
  # All in one scale, but for what would be too thin to see.
  largest_side = max(sizes)
  widths = [max(sizes[a], 0.2 * largest_side) for a, _ in planes]
  heights = max(sizes[b] for _, b in planes)
  scale = 10.0 / sum(widths)
  figure = plots._figure(
    11.4, 3 * (max(scale * heights, 1.0) + 0.35) + 0.4, dpi=110
  )
  figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
  grid = figure.subplots(
    3, 3, squeeze=False, gridspec_kw={"width_ratios": widths}
  )
  for index, (title, values, colours, least, most) in enumerate(rows):
    line = grid[index]
    for axes, (across, up) in zip(line, planes, strict=True):
      (through,) = {0, 1, 2} - {across, up}
      middle = values.shape[through] // 2
      image = axes.imshow(
        np.take(values, middle, axis=through).T,
        origin="lower",
        aspect="auto",
        extent=(0, sizes[across], 0, sizes[up]),
        cmap=colours,
        vmin=least,
        vmax=most,
        interpolation="nearest",
      )
      axes.set_aspect("equal")
      axes.set_xticks([])
      axes.set_yticks([])
      if index == len(rows) - 1:
        axes.set_xlabel(f"{'XYZ'[through]} = {middle}", fontsize=9)
    _title(line[0], title)
    bar = figure.colorbar(
      image,
      ax=list(line),
      fraction=0.05,
      pad=0.01,
      extend=_ends(values, least, most),
    )
    bar.set_label(unit, fontsize=9)
    bar.ax.tick_params(labelsize=8)
  plots._save(figure, path)


def shape_views(
  path: Path,
  original: npt.ArrayLike,
  decoded: npt.ArrayLike,
  *,
  threshold: float = 0.5,
  name: str = "decoded",
  side: int = 300,
) -> None:
  """Draws a shape of cells before and after a codec, and what is wrong.

  Args:
    path: the file to write, atomically; its suffix names the format.
    original: occupancy `[X, Y, Z]`, above one half occupied; Z is up.
    decoded: `[X, Y, Z]`.
    threshold: cells of `decoded` above it are occupied.
    name: what made `decoded`, for its caption.
    side: of each view in pixels.

  Raises:
    ImportError: when matplotlib is not installed.
    OSError: when the file cannot be written.
    ValueError: for shapes that do not fit.
  """
  first, second, _ = _compared(original, decoded, 3)
  before, after = first > 0.5, second > threshold
  missing, added = before & ~after, after & ~before
  right = np.mean(before == after)
  plain, lost, new = np.array(
    [(0.72, 0.76, 0.82), (0.95, 0.1, 0.1), (0.1, 0.35, 0.95)]
  )
  colours = np.broadcast_to(plain, (*before.shape, 3)).copy()
  pictures = [
    ("original", voxel_views.shaded(before, colours, side=side)),
    (name, voxel_views.shaded(after, colours, side=side)),
  ]
  colours[missing], colours[added] = lost, new
  title = f"{100 * right:.2f} % right (red: missing, blue: added)"
  both = voxel_views.shaded(before | after, colours, side=side)
  pictures.append((title, both))
  figure = plots._figure(12.0, 4.3, dpi=110)
  figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
  for axes, (title, picture) in zip(
    figure.subplots(1, 3), pictures, strict=True
  ):
    axes.imshow(picture, interpolation="antialiased")
    axes.set_axis_off()
    _title(axes, title)
  plots._save(figure, path)


def clip_frames(
  path: Path,
  original: npt.ArrayLike,
  decoded: npt.ArrayLike,
  *,
  count: int = 4,
  name: str = "decoded",
  error_gain: float = 4.0,
) -> None:
  """Draws frames of a clip before and after a codec.

  Args:
    path: the file to write, atomically; its suffix names the format.
    original: `[T, H, W, 3]` uint8, or one channel.
    decoded: of the same shape.
    count: frames to draw, evenly from the first to the last.
    name: what made `decoded`, for its caption.
    error_gain: factor on the absolute error that is drawn.

  Raises:
    ImportError: when matplotlib is not installed.
    OSError: when the file cannot be written.
    ValueError: for shapes that do not fit.
  """
  before, after, error = _compared(original, decoded, 4)
  if before.shape[-1] not in (1, 3):
    raise ValueError(
      f"The clip has shape {before.shape}; [T, H, W, 1 or 3] is needed."
    )
  chosen = np.unique(np.linspace(0, len(before) - 1, count).round().astype(int))
  rows = (
    ("original", before),
    (name, after),
    (f"absolute error x {error_gain:g}", error_gain * np.abs(error)),
  )
  height, width = before.shape[1:3]
  side = 11.0 / max(2, len(chosen))
  figure = plots._figure(
    max(4.0, side * len(chosen)) + 0.2,
    3 * (side * height / width + 0.25) + 0.2,
    dpi=120,
  )
  figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
  grid = figure.subplots(3, len(chosen), squeeze=False)
  for line, (title, frames) in zip(grid, rows, strict=True):
    for axes, index in zip(line, chosen, strict=True):
      picture = np.rint(frames[index]).clip(0, 255).astype(np.uint8)
      axes.imshow(
        np.broadcast_to(picture, (height, width, 3)), interpolation="nearest"
      )
      axes.set_axis_off()
      _title(axes, f"frame {index}")
    _title(line[0], f"{title}, frame {chosen[0]}")
  plots._save(figure, path)


def _compared(
  original: npt.ArrayLike, decoded: npt.ArrayLike, num_axes: int
) -> tuple[Array, Array, Array]:
  """Both as float64 of that many axes, and decoded less original."""
  before = np.asarray(original, np.float64)
  after = np.asarray(decoded, np.float64)
  if before.shape != after.shape or before.ndim != num_axes or not before.size:
    raise ValueError(
      f"The original has shape {before.shape}, the decoded signal "
      f"{after.shape}; both must have the same {num_axes} axes."
    )
  after = np.where(np.isnan(before), np.nan, after)
  if not np.isfinite(before).any():
    raise ValueError("There is no value that is not missing.")
  return before, after, after - before


def _limits(before: Array) -> tuple[float, float]:
  """Of the original's colours; what is beyond them has those of their ends."""
  low, high = float(np.nanmin(before)), float(np.nanmax(before))
  return low, high if low < high else low + 1.0


def _largest(values: Array) -> float:
  return float(np.nanmax(np.abs(values))) or 1.0


def _bulk(error: Array) -> float:
  """What all but a few errors are below, so that few do not pale the rest."""
  size = np.abs(error[np.isfinite(error)])
  return float(np.quantile(size, 0.998)) or _largest(error)


def _ends(values: Array, least: float, most: float) -> str:
  """Of a colour bar: pointed where values go on beyond its end."""
  beyond = np.nanmin(values) < least, np.nanmax(values) > most
  ends = {(True, True): "both", (True, False): "min", (False, True): "max"}
  return ends.get((bool(beyond[0]), bool(beyond[1])), "neither")


def _error_title(error: Array, unit: str) -> str:
  root = float(np.sqrt(np.nanmean(error**2)))
  suffix = f" {unit}" if unit else ""
  return f"difference, RMS {root:.3g}{suffix}"


def _with_unit(quantity: str, unit: str) -> str:
  return f"{quantity} ({unit})" if quantity and unit else quantity or unit


def _edges(centres: Array) -> Array:
  """Ends of cells between centres, which need not be evenly spaced."""
  if len(centres) < 2:
    return np.array([centres[0] - 0.5, centres[0] + 0.5])
  middles = (centres[1:] + centres[:-1]) / 2
  first, last = 2 * centres[0] - middles[0], 2 * centres[-1] - middles[-1]
  return np.concatenate([[first], middles, [last]])


def _degrees(axes: Any) -> None:
  """Degrees north and east on the axes of a map."""
  from matplotlib import ticker

  def east(value: float, _: Any) -> str:
    value = (value + 180) % 360 - 180
    side = "" if value in (0, -180) else ("E" if value > 0 else "W")
    return f"{abs(value):g}°{side}"

  def north(value: float, _: Any) -> str:
    return f"{abs(value):g}°{'N' if value > 0 else 'S' if value < 0 else ''}"

  steps = (1, 1.5, 3, 4.5, 6, 9, 10)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(4, steps=steps))
  axes.yaxis.set_major_locator(ticker.MaxNLocator(4, steps=steps))
  axes.xaxis.set_major_formatter(ticker.FuncFormatter(east))
  axes.yaxis.set_major_formatter(ticker.FuncFormatter(north))
  axes.tick_params(labelsize=8)
  axes.set_xlabel("longitude", fontsize=9)


def _spectrum(wave: Array, window: int, rate: int) -> Array:
  """Magnitudes `[frequencies, times]` of overlapping windows."""
  hop = max(1, round(_HOP_SECONDS * rate))
  cut = np.lib.stride_tricks.sliding_window_view(wave, window)[::hop]
  magnitudes: Array = np.abs(np.fft.rfft(cut * np.hanning(window), axis=1)).T
  return magnitudes


def _title(axes: Any, text: str) -> None:
  axes.set_title(text, loc="left", fontsize=10, color=plots._INK)
