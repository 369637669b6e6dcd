"""Figures of instance-adaptive compression, from the records of its runs.

  python -m experiments.instance_figures --workdir=DIR

DIR is that of `experiments.instance_sweep`. What can be drawn from the runs
that are done is drawn; numbers are those of van Rozendaal et al. (2021).

  rate_distortion.png     figure 2a: methods and classical codecs, mean of clips
  clips.png               figure 8: the same, clip by clip
  progress.png            figures 2b and 9: on the way, clip by clip
  ablation_CLIP.png       figure 2c: awareness of rounding and of the rate
  further_CLIP.png        ablations that the paper has not
  updates_CLIP.png        figure 3: values of the update, and their bits
  no_rate_CLIP.png        figure 10: values without the rate in the loss
  frames_CLIP.png         figure 7: numbers of frames
  table.md                table 1, gains, runs

Rates are of files, but for `progress.png`, whose rates are computed.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import app, flags

from experiments import instance_records as records
from experiments import instance_tables as tables
from experiments.sweeps import instance_comparison
from inrjax import evaluate
from inrjax.evaluate import files, plots

Results = Sequence[records.Result]
_RATE_LABEL = "bits per pixel (files)"
# Of the methods' rates, as a factor: what is shown of classical codecs.
_BESIDE = 1.25
# Figure 3 shows one run; the paper's beta, or the nearest there is.
_UPDATES_BETA = 2.5e-4
_TERMS = {
  "rdm": "RDM",
  "mse": "mean squared error",
  "latents": "latents (bpp)",
  "update": "update (bpp)",
}


def write(
  results: Results, workdir: pathlib.Path, *, left_out: Sequence[str] = ()
) -> list[pathlib.Path]:
  """Draws and tabulates all that the results are enough for.

  Args:
    results: of `records.collect`.
    workdir: where they are, and figures go.
    left_out: what was not run, and why, for the tables.

  Returns:
    What was written.
  """
  if not results:
    return []
  drawn = []
  over = records.main_clips(results)
  curves = records.compared(results, over=over) if over else []
  if curves:
    drawn.append(workdir / "rate_distortion.png")
    curves_figure(
      drawn[-1],
      curves,
      f"Mean of {', '.join(over)}",
      rate_limits=_rates_of_methods(curves),
    )
  panels = {
    clip: records.compared(_on(results, clip), over=[clip]) for clip in over
  }
  panels = {clip: one for clip, one in panels.items() if one}
  if len(panels) > 1:
    drawn.append(workdir / "clips.png")
    panels_figure(drawn[-1], panels)
  if any(one.history for one in _adapted(results)):
    drawn.append(workdir / "progress.png")
    progress_figure(drawn[-1], results)
  for clip in records.clips(results):
    drawn += _draw_clip(_on(results, clip), clip, workdir)
  path = workdir / "table.md"
  with files.replacing(path) as place:
    place.write_text(tables.text(results, workdir, left_out))
  return [*drawn, path]


def _draw_clip(
  results: Results, clip: str, workdir: pathlib.Path
) -> list[pathlib.Path]:
  """The figures of one clip."""
  drawn = []
  methods = {one.method for one in results}
  if methods & set(instance_comparison.UNAWARE):
    drawn.append(workdir / f"ablation_{clip}.png")
    curves_figure(
      drawn[-1],
      records.cases(results, clip),
      f"{clip}: rounding (Q) and rate (M) in the loss",
    )
  if methods & set(instance_comparison.FURTHER):
    drawn.append(workdir / f"further_{clip}.png")
    curves = records.further(results, clip, instance_comparison.FURTHER)
    curves_figure(drawn[-1], curves, f"{clip}: further ablations")
  with_update = [one for one in _adapted(results) if one.record.get("groups")]
  if with_update:
    drawn.append(workdir / f"updates_{clip}.png")
    updates_figure(drawn[-1], _nearest(with_update))
    by_beta = {one.beta: one for one in with_update}
    without = [
      one
      for one in records.of(results, "rate_unaware")
      if one.record.get("last_groups") and one.beta in by_beta
    ]
    if without:
      chosen = _nearest(without)
      drawn.append(workdir / f"no_rate_{clip}.png")
      no_rate_figure(drawn[-1], by_beta[chosen.beta], chosen)
  if any(one.varies_frames for one in results):
    drawn.append(workdir / f"frames_{clip}.png")
    frames_figure(drawn[-1], results, clip)
  return drawn


def curves_figure(
  path: pathlib.Path,
  curves: Sequence[evaluate.Curve],
  title: str,
  *,
  rate_limits: tuple[float, float] | None = None,
) -> None:
  """Figures 2a and 2c: PSNR over the rate of files.

  Args:
    path: the file to write.
    curves: at least one.
    title: above the axes.
    rate_limits: lowest and highest rate shown; by default all there are.
  """
  evaluate.rate_distortion_figure(
    path,
    curves,
    title=title,
    rate_label=_RATE_LABEL,
    rate_limits=rate_limits,
    highlight=(records.LABELS[records.MODEL], records.CASES[0][0]),
  )


def _rates_of_methods(curves: Sequence[evaluate.Curve]) -> tuple[float, float]:
  """Lowest and highest rate of the methods, and some beside.

  Classical codecs reach so much further that nothing else could be told apart.
  """
  methods = [one for one in curves if one.name in records.LABELS.values()]
  rates = [float(bpp) for one in methods or curves for bpp in one.bpp]
  return min(rates) / _BESIDE, max(rates) * _BESIDE


def panels_figure(
  path: pathlib.Path, panels: dict[str, list[evaluate.Curve]]
) -> None:
  """Figure 8: a panel for each clip.

  Args:
    path: the file to write.
    panels: curves by the name of the clip, at least one.
  """
  figure, axes = _grid(1, len(panels))
  names = list(dict.fromkeys(c.name for own in panels.values() for c in own))
  lines: dict[str, Any] = {}
  for place, (clip, curves) in zip(axes[0], panels.items(), strict=True):
    limits, heights = _rates_of_methods(curves), []
    for one in curves:
      _, seen = plots._visible(one, "psnr", limits)
      if not seen:
        continue
      heights += seen
      style = plots._style(names.index(one.name), False)
      (lines[one.name],) = place.plot(
        one.bpp,
        one.psnr,
        color=style.colour,
        marker=style.marker,
        markersize=3,
      )
    room = 0.04 * (max(heights) - min(heights)) or 1.0
    place.set_ylim(min(heights) - room, max(heights) + room)
    _log_axis(place, *limits)
    _name(place, clip, _RATE_LABEL, "PSNR (dB)")
  # Not every clip has every method, nor is every codec within the limits.
  names = [name for name in names if name in lines]
  axes[0][-1].legend(
    [lines[name] for name in names],
    names,
    frameon=False,
    fontsize=7,
    loc="upper left",
    bbox_to_anchor=(1.02, 1.0),
  )
  plots._save(figure, path)


def progress_figure(path: pathlib.Path, results: Results) -> None:
  """Figures 2b and 9: rate and PSNR as the full model adapts.

  The first dot is the global model with the cost of an update of nothing, each
  further one a measurement of the clip. Rates are computed, as in the paper.

  Args:
    path: the file to write.
    results: some of the full model, with a history.
  """
  runs = [one for one in _adapted(results) if one.history]
  found = records.clips(runs)
  figure, axes = _grid(2, len(found))
  for column, clip in enumerate(found):
    plane, falling = axes[0][column], axes[1][column]
    shown: list[float] = []
    for index, one in enumerate(_on(runs, clip)):
      colour = plots._style(index, False).colour
      start = {f"clip_{k}": v for k, v in one.record["start"].items()}
      rows = [{"step": 0} | start, *one.history]
      rates = [row["clip_rate"] + row["clip_model_rate"] for row in rows]
      shown += rates
      psnrs = [row["clip_psnr"] for row in rows]
      label = f"beta {one.beta:g}"
      plane.plot(rates, psnrs, ".-", color=colour, linewidth=0.8, label=label)
      plane.plot(rates[:1], psnrs[:1], "x", color=colour)
      base = one.record["global"]["computed_rdm"]
      change = [100 * (row["clip_rdm"] / base - 1) for row in rows]
      falling.plot([row["step"] for row in rows], change, color=colour)
    _log_axis(plane, min(shown) / 1.1, max(shown) * 1.1)
    falling.axhline(0, color=plots._INK, linewidth=0.7)
    _name(plane, clip, "bits per pixel (computed)", "PSNR (dB)")
    _name(falling, "", "step", "RDM to the global model (%)")
  axes[0][0].legend(frameon=False, fontsize=7)
  plots._save(figure, path)


def updates_figure(path: pathlib.Path, one: records.Result) -> None:
  """Figure 3: values of the update by group, and the bits that they take.

  Args:
    path: the file to write.
    one: a run with "groups".
  """
  groups, pixels = one.record["groups"], one.num_pixels
  limit = _largest(groups)
  figure, axes = _grid(2, len(groups))
  for column, (name, found) in enumerate(groups.items()):
    bits = sum(found["bits"])
    title = (
      f"{name}\n{bits / pixels:.5f} bits/pixel, "
      f"{bits / found['parameters']:.3f} bits/parameter"
    )
    above, below = axes[0][column], axes[1][column]
    _bars(above, one, limit, found["symbols"], found["counts"])
    above.set_yscale("log")
    _bars(below, one, limit, found["symbols"], found["bits"])
    _name(above, title, "", "parameters" if column == 0 else "")
    _name(below, "", "change", "bits" if column == 0 else "")
  figure.suptitle(f"{one.clip}, beta {one.beta:g}", fontsize=11)
  plots._save(figure, path)


def no_rate_figure(
  path: pathlib.Path, with_rate: records.Result, without: records.Result
) -> None:
  """Figure 10: values of the update with and without M in the loss.

  Args:
    path: the file to write.
    with_rate: a run with "groups".
    without: one whose loss had no rate, with "last_groups".
  """
  rows = (
    ("with the rate", with_rate, with_rate.record["groups"]),
    ("without, last step", without, without.record["last_groups"]),
  )
  limit = max(_largest(groups) for _, _, groups in rows)
  figure, axes = _grid(2, len(rows[0][2]))
  for line, (label, one, groups) in enumerate(rows):
    for column, (name, found) in enumerate(groups.items()):
      place = axes[line][column]
      _bars(place, one, limit, found["symbols"], found["counts"])
      place.set_yscale("log")
      head = name if line == 0 else ""
      _name(place, head, "change", label if column == 0 else "")
  title = f"{with_rate.clip}, beta {with_rate.beta:g}: parameters by change"
  figure.suptitle(title, fontsize=11)
  plots._save(figure, path)


def frames_figure(path: pathlib.Path, results: Results, clip: str) -> None:
  """Figure 7: what a clip takes by the number of frames that are adapted to.

  Args:
    path: the file to write.
    results: some of numbers of frames, of this clip.
    clip: for the title.
  """
  runs = [one for one in results if one.varies_frames]
  betas = sorted({one.beta for one in runs}, reverse=True)
  figure, axes = _grid(len(_TERMS), len(betas))
  for column, beta in enumerate(betas):
    for index, method in enumerate(("global", "encoder", "model")):
      same = [
        one
        for one in records.of(runs, method, varies_frames=True)
        if one.beta == beta
      ]
      found = [records.terms(one, "adapted") for one in same]
      counts = [one.num_frames for one in same]
      style = plots._style(index, False)
      for line, (term, label) in enumerate(_TERMS.items()):
        place = axes[line][column]
        place.plot(
          counts,
          [row[term] for row in found],
          color=style.colour,
          marker=style.marker,
          markersize=4,
          label=records.LABELS[method],
        )
        if term == "update" and method == records.MODEL:
          zero = [row["zero_update"] for row in found]
          place.plot(counts, zero, "--", color=style.colour, label="M_0")
        title = f"beta {beta:g}" if line == 0 else ""
        _name(place, title, "frames", label if column == 0 else "")
    counts = sorted({one.num_frames for one in runs})
    for panels in axes:
      panels[column].set_xscale("log")
      panels[column].set_xticks(counts, [str(count) for count in counts])
      panels[column].minorticks_off()
  axes[0][0].legend(frameon=False, fontsize=7)
  axes[-1][0].legend(frameon=False, fontsize=7)
  figure.suptitle(f"{clip}, in bytes of files", fontsize=11)
  plots._save(figure, path)


def _adapted(results: Results) -> list[records.Result]:
  """The full model's runs on all frames."""
  return records.of(results, records.MODEL)


def _nearest(runs: Results) -> records.Result:
  """The run whose beta is nearest to that of figure 3."""
  return min(runs, key=lambda one: abs(np.log(one.beta / _UPDATES_BETA)))


def _on(results: Results, clip: str) -> list[records.Result]:
  return [one for one in results if one.clip == clip]


def _largest(groups: Mapping[str, Any]) -> int:
  """The largest change of any group, in bins; enough of them to see."""
  return max(10, *(abs(x) for one in groups.values() for x in one["symbols"]))


def _bars(
  axes: Any,
  one: records.Result,
  limit: int,
  symbols: Sequence[int],
  heights: Sequence[float],
) -> None:
  """Bars over the values of a change, up to a limit in bins."""
  width = one.config["prior"]["bin_width"]
  colour = plots._style(1, False).colour
  axes.bar(width * np.asarray(symbols), heights, width, color=colour)
  axes.set_xlim(-width * (limit + 1), width * (limit + 1))
  axes.locator_params(axis="x", nbins=4)


def _log_axis(axes: Any, low: float, high: float) -> None:
  """A logarithmic axis, labelled in plain numbers."""
  axes.set_xscale("log")
  axes.set_xlim(low, high)
  plots._label_log_axis(axes, low, high)


def _grid(rows: int, columns: int) -> tuple[Any, list[list[Any]]]:
  """A figure of panels `[rows][columns]`."""
  figure = plots._figure(max(5.0, 3.2 * columns), 0.6 + 2.4 * rows, dpi=120)
  figure.set_layout_engine("constrained")
  grid = figure.subplots(rows, columns, squeeze=False)
  return figure, [list(line) for line in grid]


def _name(axes: Any, title: str, x_label: str, y_label: str) -> None:
  axes.set_title(title, loc="left", fontsize=9, color=plots._INK)
  axes.set_xlabel(x_label)
  axes.set_ylabel(y_label)
  axes.grid(True, color="#DDDDDD", linewidth=0.7)
  axes.set_axisbelow(True)
  for side in ("top", "right"):
    axes.spines[side].set_visible(False)


def main(argv: Sequence[str]) -> None:
  """Draws what a working folder holds."""
  del argv
  workdir = pathlib.Path(flags.FLAGS.workdir)
  drawn = write(records.collect(workdir), workdir)
  if not drawn:
    raise SystemExit(f"{workdir} holds no run that is done.")
  for path in drawn:
    print(f"Wrote {path}")


if __name__ == "__main__":
  flags.DEFINE_string(
    "workdir", None, "Where runs are and figures go.", required=True
  )
  app.run(main)
