"""Figures of codecs for signals that are no images.

Rates and distortions of learned and classical codecs beside published curves:

  python -m experiments.signal_figures --out=DIR [--rate=bpp] [--metric=psnr]
      [--title=TEXT] [--limits=LOWEST,HIGHEST]
      --curve=MSCN=RUN,RUN --curve=CLASSICAL
      --curve="COIN++ (published)=FILE.json" ...

  rate_distortion.png     the curves
  rate_distortion.md      the same as tables
  curves/NAME.json        the same in the form of `evaluate.interchange`

`--curve` is NAME=PATHS, or PATHS alone; quoted, `*` in one is expanded. A path
is a working folder of a learned codec (several make one curve: their best
points), a working folder of `classical_signals` (every codec in it is a curve),
or a JSON file of either form. Published curves of sound hold kbit/s where
others hold bits per pixel.

One signal before and after a codec:

  python -m experiments.signal_figures --out=FILE.png --model=MODEL
      --signal=FILE --quality=50 [--step=0] [--variable=NAME] [--side=64]

`--variable` names one of a file of several fields or arrays, `--side` says how
many cells on a side the grid of a mesh has.
"""

import base64
import dataclasses
import glob
import json
import math
import pathlib
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from absl import app, flags

from experiments import evaluation
from inrjax import data, evaluate
from inrjax.codec import (
  files_field,
  files_mesh,
  grid_codec,
  kinds,
  loading,
  signal_files,
)
from inrjax.evaluate import bjontegaard, files, pictures

RATES = {
  "bpp": "bits per place (files)",
  "payload_bpp": "bits per place (without headers and metadata)",
  "kbps": "kbit/s (files)",
}
_LABELS = {
  "psnr": "PSNR (dB)",
  "accuracy": "accuracy",
  "intersection_over_union": "intersection over union",
  "rmse": "root mean square error",
  "max_error": "largest error",
}
_HIGHEST_IS_WORST = ("rmse", "max_error")


def write(
  curves: Sequence[evaluate.Curve],
  folder: pathlib.Path,
  *,
  rate: str = "bpp",
  metric: str = "psnr",
  title: str = "",
  rate_limits: tuple[float, float] | None = None,
) -> list[pathlib.Path]:
  """Draws and tabulates curves.

  Args:
    curves: at least one, of `read`.
    folder: where files go.
    rate: a key of `RATES`, that of the curves.
    metric: "psnr", or another column of records.
    title: of the figure.
    rate_limits: lowest and highest rate that the figure shows; None for all.

  Returns:
    What was written.

  Raises:
    SystemExit: if no curve has such a column.
  """
  folder.mkdir(parents=True, exist_ok=True)
  figure, table = (
    folder / f"rate_distortion.{suffix}" for suffix in ("png", "md")
  )
  label = _LABELS.get(metric, metric)
  try:
    evaluate.rate_distortion_figure(
      figure,
      curves,
      title=title,
      metric=metric,
      metric_label=label,
      rate_label=RATES[rate],
      rate_limits=rate_limits,
    )
  except ValueError as error:
    raise SystemExit(f"--metric, --limits: {error}") from error
  with files.replacing(table) as place:
    place.write_text(tables(curves, rate=rate, metric=metric))
  written = [figure, table]
  for curve in curves:
    stem = re.sub(r"[^A-Za-z0-9+-]+", "_", curve.name).strip("_") or "curve"
    written.append(folder / "curves" / f"{stem}.json")
    written[-1].parent.mkdir(exist_ok=True)
    evaluate.write_curve(written[-1], curve)
  return written


def tables(curves: Sequence[evaluate.Curve], *, rate: str, metric: str) -> str:
  """Markdown: the curves at common rates, then all their points.

  Args:
    curves: at least one.
    rate: a key of `RATES`.
    metric: a column of records.
  """
  lowest = min(float(curve.bpp[0]) for curve in curves)
  highest = max(float(curve.bpp[-1]) for curve in curves)
  label = _LABELS.get(metric, metric)
  text = ""
  if metric not in _HIGHEST_IS_WORST:
    rows = evaluate.rate_table(curves, _steps(lowest, highest), metric=metric)
    text = f"{label} at {RATES[rate]}:\n\n{evaluate.markdown(rows)}\n"
  names = ("psnr", *_columns(curves))
  cells = [["codec", "setting", rate, *names]]
  for curve in curves:
    for point in curve.points:
      values = [point.value(name) for name in names]
      cells.append(
        [
          curve.name,
          "-" if point.setting is None else f"{point.setting}",
          f"{point.bpp:.4g}",
          *("-" if v is None else f"{v:.4g}" for v in values),
        ]
      )
  return f"{text}All points:\n\n{evaluate.markdown(cells)}"


def read(argument: str, rate: str = "bpp") -> list[evaluate.Curve]:
  """The curves of one `--curve`.

  Args:
    argument: NAME=PATHS or PATHS, with commas between paths, in which `*`
      stands for any part of a name.
    rate: which, a key of `RATES`.

  Returns:
    Curves whose `bpp` is that rate.

  Raises:
    SystemExit: if there is nothing to read.
  """
  name, _, rest = argument.rpartition("=")
  paths = [
    pathlib.Path(path)
    for pattern in rest.split(",")
    for path in sorted(glob.glob(pattern)) or [pattern]
  ]
  curves: list[evaluate.Curve] = []
  learned: list[evaluate.RatePoint] = []
  for path in paths:
    for file, content in _contents(path).items():
      if "results" in content:
        found = evaluate.read_curves(file)
        curves += [dataclasses.replace(c, name=name or c.name) for c in found]
      elif "name" in content:
        label = f"{name}: {content['name']}" if name else content["name"]
        points = points_of(content["quantised"], rate, file)
        curves.append(evaluate.Curve(label, tuple(points), "files"))
      else:
        learned += points_of(content["quantised"], rate, file)
  if learned:
    label = name or paths[0].name
    curves.append(_best(evaluate.Curve(label, tuple(learned), "files")))
  return curves


def points_of(
  records: Iterable[Mapping[str, Any]], rate: str, file: pathlib.Path
) -> list[evaluate.RatePoint]:
  """Points of the records of one file, equal ones once.

  Args:
    records: of `signal_quality.of_files` or `classical_signals.measured`.
    rate: a key of `RATES`.
    file: where they are from; its folder's config knows the rate of sound.

  Raises:
    SystemExit: if the records have no such rate.
  """
  points: dict[tuple[float, float], evaluate.RatePoint] = {}
  for record in records:
    known = dict(record)
    if not known.keys() >= {"quality", "bpp", "psnr"}:
      raise SystemExit(
        f"--curve: {file} has no rates of files, but {sorted(known)}."
      )
    if rate == "kbps" and "kbps" not in known:
      known["kbps"] = known["bpp"] * _sample_rate(file) / 1000
    psnr = math.inf if known["psnr"] is None else known["psnr"]
    extra = {
      name: float(value)
      for name, value in known.items()
      if name not in ("quality", "psnr", *RATES)
    }
    found = evaluate.RatePoint(
      bpp=known[rate], psnr=psnr, setting=known["quality"], extra=extra
    )
    points.setdefault((found.bpp, found.psnr), found)
  return list(points.values())


def draw(
  path: pathlib.Path,
  before: kinds.Signal,
  after: kinds.Signal,
  *,
  name: str,
  step: int = 0,
) -> None:
  """A picture of a signal and what a codec made of it.

  Args:
    path: the file to write.
    before: the signal.
    after: decoded, of the same shape.
    name: what decoded it, for a caption.
    step: which one of a signal that is several: fields in time, channels.

  Raises:
    SystemExit: for a kind that has no picture.
  """
  axes = kinds.NUM_AXES.get(before.kind)
  if axes is None:
    raise SystemExit(f"--signal: there is no picture of a {before.kind}.")
  pair = [_one(signal.values, axes, step) for signal in (before, after)]
  if before.kind == "video":
    pictures.clip_frames(path, *pair, name=name)
    return
  first, second = (values[..., 0] for values in pair)
  if before.kind == "field":
    rows, columns = files_field.degrees(before.metadata, first.shape)
    quantity = str(before.metadata.get("variable", ""))
    pictures.field_maps(
      path, first, second, latitudes=rows, longitudes=columns,
      unit=before.unit, quantity=quantity, name=name,
    )  # fmt: skip
  elif before.kind == "audio":
    rate = int(before.metadata["rate"])
    pictures.sound_views(path, first, second, rate=rate, name=name)
  elif before.kind == "volume":
    pictures.volume_slices(
      path, first, second, spacing=_spacing(before), unit=before.unit, name=name
    )
  elif before.kind == "distance":  # Negative inside.
    pictures.shape_views(path, first < 0, second < 0, name=name)
  else:
    pictures.shape_views(path, first, second, name=name)


def _contents(path: pathlib.Path) -> dict[pathlib.Path, Any]:
  """What the JSON files of a working folder that hold results say."""
  files_of = [path] if path.is_file() else sorted(path.glob("*.json"))
  found = {}
  for file in files_of:
    content = json.loads(file.read_text())
    if isinstance(content, dict) and content.keys() & {"results", "quantised"}:
      found[file] = content
  if not found:
    raise SystemExit(f"--curve: {path} holds no results; evaluate it first.")
  return found


def _best(curve: evaluate.Curve) -> evaluate.Curve:
  """The points that no other one beats, as settings of one codec are chosen."""
  rates = set(bjontegaard.front(curve)[0].tolist())
  kept = {p.bpp: p for p in curve.points if p.bpp in rates}
  lossless = tuple(p for p in curve.points if math.isinf(p.psnr))
  points = (*kept.values(), *lossless[:1])
  return evaluate.Curve(curve.name, points, curve.description)


def _sample_rate(file: pathlib.Path) -> float:
  """Samples a second, of the config beside the results."""
  path = file.parent / evaluation.CONFIG
  config = json.loads(path.read_text()) if path.is_file() else {}
  rate = config.get("signal", {}).get("sample_rate")
  if rate is None:
    raise SystemExit(
      f"--rate=kbps: {path} has no signal.sample_rate; take --rate=bpp."
    )
  return float(rate)


def _columns(curves: Sequence[evaluate.Curve]) -> list[str]:
  """Names of further columns, in the order in which they come."""
  names = [n for c in curves for p in c.points for n in p.extra]
  return list(dict.fromkeys(names))


def _steps(low: float, high: float) -> list[float]:
  """1, 2, 5 times powers of ten from low to high."""
  powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
  steps = [float(f"{m}e{power}") for power in powers for m in (1, 2, 5)]
  return [step for step in steps if low <= step <= high] or [low]


def _one(values: np.ndarray, num_axes: int, step: int) -> np.ndarray:
  """One signal `[D1, ..., Dk, C]` of several."""
  several = values.reshape(-1, *values.shape[-num_axes - 1 :])
  if not 0 <= step < len(several):
    raise SystemExit(
      f"--step must be from 0 to {len(several) - 1}, got {step}."
    )
  return several[step]


def _spacing(signal: kinds.Signal) -> tuple[float, ...]:
  """Lengths of a voxel's sides, as the file's header has them."""
  header = signal.metadata.get("header")
  if header is None:
    return (1.0, 1.0, 1.0)
  # Optional, and there if the file was read.
  import nibabel

  block = base64.b64decode(header)
  cls = nibabel.Nifti1Header if len(block) == 348 else nibabel.Nifti2Header
  zooms = cls(block, check=False).get_zooms()[:3]
  return tuple(float(zoom) or 1.0 for zoom in zooms)


def picture(
  out: pathlib.Path,
  *,
  model: str,
  signal: str,
  quality: float | None,
  step: int,
  variable: str | None = None,
  side: int | None = None,
) -> None:
  """Codes a file and draws it before and after.

  Args:
    out: the picture to write.
    model: of `loading.load`.
    signal: the file.
    quality: of the codec; None is its default.
    step: as for `draw`.
    variable: which one of a netCDF file's or an archive's; None takes the only
      one.
    side: cells on a side of a mesh's grid; None takes the reader's own.

  Raises:
    SystemExit: for a model of images, a file that cannot be read, or of several
      variables none of which is named.
  """
  codec = loading.load(model)
  if not isinstance(codec, grid_codec.GridCodec):
    raise SystemExit(f"--model: {model} is a model of images.")
  before = _read(signal, codec.spec.kinds, variable, side)
  coded = codec.compress_signals([before], quality=quality)
  (after,) = codec.decompress_signals(coded)
  places = before.values.size / codec.channels
  name = f"decoded, {8 * len(coded) / places:.3g} bits per place"
  draw(out, before, after, name=name, step=step)


def _read(
  path: str, served: Sequence[str], variable: str | None, side: int | None
) -> kinds.Signal:
  """The signal of a file, or the one of that name."""
  kind = kinds.kind_of(path)
  if side is not None and kinds.suffix_of(path) not in kinds.MESHES:
    raise SystemExit(f"--side is of the grids of meshes, and {path} is none.")
  try:
    with warnings.catch_warnings():
      # What is not drawn need not be named.
      warnings.simplefilter("ignore", files_field.LeftOutWarning)
      found = signal_files.read(
        path,
        kind=kind if kind in served else served[0],
        variables=() if variable is None else (variable,),
        side=files_mesh.DEFAULT_SIDE if side is None else side,
        tools=data,
      )
  except (OSError, ImportError, ValueError) as error:
    raise SystemExit(f"--signal: {error}") from error
  names = [str(one.metadata.get("variable")) for one in found]
  if variable is not None and names != [variable]:
    raise SystemExit(f"--variable: {path} has no parts with names.")
  if len(found) > 1:
    raise SystemExit(
      f"--variable: {path} has {', '.join(names)}; name one of them."
    )
  return found[0]


def main(argv: Sequence[str]) -> None:
  """Draws what the flags ask for."""
  del argv
  given = flags.FLAGS
  out = pathlib.Path(given.out)
  if given.model:
    if not given.signal:
      raise app.UsageError("--model needs --signal, the file to code.")
    picture(
      out,
      model=given.model,
      signal=given.signal,
      quality=given.quality,
      step=given.step,
      variable=given.variable,
      side=given.side,
    )
    written = [out]
  else:
    curves = [c for text in given.curve for c in read(text, given.rate)]
    if not curves:
      raise app.UsageError("Give --curve, or --model and --signal.")
    limits = [float(text) for text in given.limits]
    if len(limits) not in (0, 2):
      raise app.UsageError("--limits takes two rates, LOWEST,HIGHEST.")
    written = write(
      curves,
      out,
      rate=given.rate,
      metric=given.metric,
      title=given.title,
      rate_limits=(limits[0], limits[1]) if limits else None,
    )
  for path in written:
    print(f"Wrote {path}")


def _define_flags() -> None:
  flags.DEFINE_string("out", None, "Folder, or file of a picture.")
  flags.mark_flag_as_required("out")
  flags.DEFINE_multi_string("curve", [], "NAME=PATH,PATH,... or PATHS.")
  flags.DEFINE_enum("rate", "bpp", list(RATES), "The horizontal axis.")
  flags.DEFINE_string("metric", "psnr", "The vertical axis.")
  flags.DEFINE_string("title", "", "Of the figure.")
  flags.DEFINE_list("limits", [], "LOWEST,HIGHEST rate of the figure.")
  flags.DEFINE_string("model", None, "A model file.")
  flags.DEFINE_string("signal", None, "A file that the model codes.")
  flags.DEFINE_float("quality", None, "0 to 100.")
  flags.DEFINE_integer("step", 0, "Which one of a file of several signals.")
  flags.DEFINE_string("variable", None, "Of a file of several; see above.")
  flags.DEFINE_integer("side", None, "Cells on a side of a mesh's grid.")


if __name__ == "__main__":
  _define_flags()
  app.run(main)
