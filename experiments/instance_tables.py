"""Tables of a comparison of instance-adaptive compression."""

import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from experiments import instance_records as records
from inrjax import evaluate

Rows = list[list[str]]


def distribution(results: Sequence[records.Result]) -> Rows:
  """Table 1: where the full model's bytes go, means over clips.

  All of it is counted in files, R + M with their headers; "computed" is M under
  the discrete prior, as in the paper.
  """
  rows = [
    [
      "beta",
      "clips",
      "PSNR (dB)",
      "R + M (bpp)",
      "R",
      "M",
      "M_0",
      "M (bits/parameter)",
      "M (kB/frame)",
      "M computed",
    ]
  ]
  for beta, same in records.by_beta(records.of(results, records.MODEL)).items():
    found = []
    for one in same:
      row, pixels = one.record["adapted"], one.num_pixels
      parameters = sum(
        part["parameters"] for part in one.record["parts"].values()
      )
      found.append(
        (
          row["psnr"],
          row["bpp"],
          8 * row["latent_bytes"] / pixels,
          8 * row["update_bytes"] / pixels,
          8 * row["zero_update_bytes"] / pixels,
          8 * row["update_bytes"] / max(1, parameters),
          row["update_bytes"] / 1000 / one.num_frames,
          one.record["computed"]["model_rate"],
        )
      )
    mean = np.mean(found, axis=0)
    digits = (2, 4, 4, 5, 5, 4, 3, 5)
    cells = [f"{x:.{n}f}" for x, n in zip(mean, digits, strict=True)]
    rows.append([f"{beta:g}", str(len(records.clips(same))), *cells])
  return rows


def gains(results: Sequence[records.Result]) -> Rows:
  """Average distance of every curve to two of them, over all clips."""
  over = records.main_clips(results)
  curves = records.compared(results, over=over)
  anchors = [
    one
    for method in ("global", "encoder")
    if (one := records.curve(results, method, over=over)) is not None
  ]
  title = ["codec"]
  for anchor in anchors:
    title += [f"BD-PSNR to {anchor.name} (dB)", f"BD-rate to {anchor.name}"]
  rows = [title]
  for one in curves:
    cells = [one.name]
    for anchor in anchors:
      cells.append(_gap(evaluate.bd_psnr, "{:+.2f}", anchor, one))
      cells.append(_gap(evaluate.bd_rate, "{:+.1f} %", anchor, one))
    rows.append(cells)
  return rows


def _gap(
  measure: Callable[[evaluate.Curve, evaluate.Curve], float],
  form: str,
  anchor: evaluate.Curve,
  test: evaluate.Curve,
) -> str:
  """The distance as a cell; curves may meet in one direction alone."""
  try:
    return form.format(measure(anchor, test))
  except evaluate.NoOverlapError:
    return "-"


def deviations(results: Sequence[records.Result]) -> Rows:
  """Files against computed rates, for latents and updates."""
  rows = [
    ["clip", "method", "setting", "latents", "computed", "update", "computed"]
  ]
  for one in results:
    if one.is_classical or one.method == records.GLOBAL:
      continue
    row, pixels = one.record["adapted"], one.num_pixels
    update = one.record["computed"]["model_rate"] * pixels / 8
    cells = (
      row["latent_bytes"],
      row["computed_latent_bytes"],
      row["update_bytes"],
      update,
    )
    numbers = [f"{x:.0f}" for x in cells]
    rows.append([one.clip, one.method, one.setting, *numbers])
  return rows


def runs(results: Sequence[records.Result], workdir: pathlib.Path) -> Rows:
  """Every run: what it took and what it gained, in bytes of files."""
  rows = [
    [
      "clip",
      "method",
      "setting",
      "frames",
      "best step",
      "steps/s",
      "global bytes",
      "bytes",
      "update",
      "global dB",
      "dB",
      "global RDM",
      "RDM",
    ]
  ]
  for one in results:
    if one.is_classical:
      continue
    before, after = one.record["global"], one.record["adapted"]
    log = workdir / one.clip / one.method / one.setting / one.seed / "log.jsonl"
    speed = records.speed(log)
    rows.append(
      [
        one.clip,
        one.method,
        one.setting,
        str(one.num_frames),
        f"{one.record['step']} of {one.config['train']['num_steps']}",
        "-" if speed is None else f"{speed:.2f}",
        f"{before['bytes']:.0f}",
        f"{after['bytes']:.0f}",
        f"{after['update_bytes']:.0f}",
        f"{before['psnr']:.2f}",
        f"{after['psnr']:.2f}",
        f"{before['rdm']:.3e}",
        f"{after['rdm']:.3e}",
      ]
    )
  return rows


def text(
  results: Sequence[records.Result],
  workdir: pathlib.Path,
  left_out: Sequence[str] = (),
) -> str:
  """All tables as Markdown.

  Args:
    results: at least one.
    workdir: where they are.
    left_out: what was not run, and why.
  """
  clips = records.main_clips(results)
  tables = {
    "Where the bytes of the full model go (table 1)": distribution(results),
    "Distance between curves, in bytes of files (figure 2a)": gains(results),
    "Runs, in bytes of files": runs(results, workdir),
    "Bytes of files against computed rates": deviations(results),
  }
  for one in records.compared(results, over=clips):
    tables[f"{one.name}, in bytes of files"] = evaluate.point_table(one)
  parts = [
    f"## {name}\n\n{evaluate.markdown(rows)}"
    for name, rows in tables.items()
    if len(rows) > 1
  ]
  parts.insert(0, f"Clips: {', '.join(clips)}.\n")
  parts += [f"Left out: {reason}\n" for reason in left_out]
  return "\n".join(parts)
