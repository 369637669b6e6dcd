"""Memory of one ECoP training step against K, gamma and N.

Ours beside plain reverse over reverse: bytes of the compiled programs'
temporaries, for which nothing is run. With `--peaks` each program also takes
one step in a fresh process, whose peak resident memory is reported. What takes
too long or does not fit is left out, and the table says so.
"""

import argparse
import dataclasses
import importlib.util
import json
import math
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks import case as case_lib
from benchmarks import harness

# Learnit's K: at 16 the baseline takes a minute to compile, on every size.
BASE = dataclasses.replace(case_lib.ecop(), num_steps=4)
# Names of the programs: the side, what is changed in the case, a colour.
PROGRAMS: dict[str, tuple[str, dict[str, Any], str]] = {
  "inrjax, points in tiles": ("ours", {}, "#D55E00"),
  "inrjax, all points at once": ("ours", {"point_tile": None}, "#E69F00"),
  "JAX, reverse over reverse": ("jax", {}, "#0072B2"),
}


class Axis(NamedTuple):
  """What is varied while all else stays.

  Attributes:
    label: of the plot's axis.
    values: by default.
    kind: of a value.
  """

  label: str
  values: tuple[float, ...]
  kind: type


# By the field of `Case`.
AXES = {
  "num_steps": Axis("inner steps K", (1, 2, 4, 8, 16, 32), int),
  "gamma": Axis("share of the points gamma", (0.125, 0.25, 0.5, 1.0), float),
  "side": Axis("points N", (64, 128, 256, 512, 1024), int),
}

# Further fields of `Case` that have flags.
SIZES = ("depth", "width", "target_steps", "point_tile")


class Found(NamedTuple):
  """What one program needs.

  Attributes:
    temporaries: bytes; None where it was left out.
    peak: bytes of resident memory at most; None where nothing was run.
    left_out: why; empty where it was not.
  """

  temporaries: int | None = None
  peak: int | None = None
  left_out: str = ""

  def __str__(self) -> str:
    """A cell of the table, in MB."""
    if self.temporaries is None:
      return self.left_out
    peak = "" if self.peak is None else f" / {self.peak / 1e6:.0f}"
    return f"{self.temporaries / 1e6:.1f}{peak}"


def measure(
  side: str, case: case_lib.Case, *, rounds: int, limit: float, most: float
) -> Found:
  """What a side's training step needs; see `harness.alone`."""
  try:
    seen = harness.alone(
      side, "train_step", case, rounds=rounds, limit=limit, most=most
    )
  except harness.TooLong:
    return Found(left_out=f"over {limit:g} s")
  except harness.TooLarge as error:
    return Found(left_out=f"{error.temporaries / 1e6:.0f}: does not fit")
  except harness.Stopped:
    return Found(left_out="process ended")
  return Found(seen.temporaries, seen.peak if rounds else None)


def sweep(
  axes: dict[str, list[Any]], base: case_lib.Case, **limits: Any
) -> Iterator[dict[str, Any]]:
  """Varies one field after the other; prints rows, yields records.

  Args:
    axes: values of the fields of `AXES`.
    base: all other sizes.
    **limits: of `measure`.
  """
  known: dict[tuple[str, case_lib.Case], Found] = {}
  for axis, values in axes.items():
    print(f"\n{axis:<10}" + "".join(f"{name:>28}" for name in PROGRAMS))
    for value in values:
      print(f"{value:<10}", end="", flush=True)
      for name, (side, changes, _) in PROGRAMS.items():
        case = dataclasses.replace(base, **{axis: value}, **changes)
        found = known.get((side, case)) or measure(side, case, **limits)
        known[side, case] = found
        print(f"{found!s:>28}", end="", flush=True)
        yield {
          "benchmark": "long_horizon_memory",
          "axis": axis,
          "program": name,
          **dataclasses.asdict(case),
          "num_points": math.prod(case.shape),
          **found._asdict(),
        }
      print(flush=True)


def plot(path: str, records: Sequence[dict[str, Any]]) -> None:
  """Draws memory against K, gamma and N, in three panels with log axes.

  Args:
    path: the file; its suffix names the format.
    records: of `sweep`.
  """
  from matplotlib import figure, ticker
  from matplotlib.backends import backend_agg

  made = figure.Figure(figsize=(11.0, 4.0), dpi=150)
  backend_agg.FigureCanvasAgg(made)
  made.set_layout_engine("constrained")
  panels = made.subplots(1, len(AXES), sharey=True)
  for panel, (axis, about) in zip(panels, AXES.items(), strict=True):
    here = [r for r in records if r["axis"] == axis]
    field = "num_points" if axis == "side" else axis
    for name, (_, _, colour) in PROGRAMS.items():
      rows = [r for r in here if r["program"] == name]
      for what, line, face, label in (
        ("temporaries", "-", colour, name),
        ("peak", "--", "white", f"{name}: peak resident"),
      ):
        points = sorted((r[field], r[what] / 1e9) for r in rows if r[what])
        if points:
          panel.plot(
            *zip(*points, strict=True),
            color=colour,
            label=label,
            linestyle=line,
            marker="o",
            markersize=5,
            markerfacecolor=face,
          )
    panel.set_xscale("log")
    panel.set_yscale("log")
    ticks = sorted({(r[field], r["side"]) for r in here})
    names = [f"{s}²" if axis == "side" else f"{t:g}" for t, s in ticks]
    panel.set_xticks([t for t, _ in ticks], names)
    panel.xaxis.set_minor_locator(ticker.NullLocator())
    panel.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    panel.set_xlabel(about.label)
    panel.grid(True, color="#DDDDDD", linewidth=0.7)
    for edge in ("top", "right"):
      panel.spines[edge].set_visible(False)
  panels[0].set_ylabel("memory of one training step (GB)")
  handles, labels = panels[0].get_legend_handles_labels()
  made.legend(
    handles, labels, loc="outside upper center", ncols=3, frameon=False
  )
  made.savefig(path)


def _file(text: str) -> str:
  if not pathlib.Path(text).absolute().parent.is_dir():
    raise argparse.ArgumentTypeError(f"the folder of {text} does not exist")
  return text


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
  """Reads the flags."""
  parser = argparse.ArgumentParser(
    prog="python -m benchmarks.long_horizon_memory", description=__doc__
  )
  for axis, about in AXES.items():
    parser.add_argument(
      f"--{axis}",
      type=about.kind,
      nargs="*",
      default=list(about.values),
      help=f"all else as in the base, {axis}={getattr(BASE, axis)}; "
      "default %(default)s",
    )
  for name in SIZES:
    default = getattr(BASE, name)
    parser.add_argument(
      f"--{name}", type=int, default=default, help="default %(default)s"
    )
  parser.add_argument(
    "--limit",
    type=float,
    default=300.0,
    help="seconds for compiling one program, and for running it; default "
    "%(default)s",
  )
  parser.add_argument(
    "--memory",
    type=float,
    default=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
    help="GB that the temporaries may have; default: this machine's, "
    "%(default).0f",
  )
  parser.add_argument(
    "--peaks", action="store_true", help="run each program once as well"
  )
  parser.add_argument("--json", type=_file, help="file of all that was found")
  parser.add_argument("--plot", type=_file, help="file of the figure")
  args = parser.parse_args(arguments)
  if args.plot and importlib.util.find_spec("matplotlib") is None:
    parser.error("--plot needs matplotlib: pip install 'inrjax[plots]'")
  return args


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures, prints a table, and writes what was asked for."""
  args = parse(arguments)
  base = dataclasses.replace(BASE, **{n: getattr(args, n) for n in SIZES})
  print(harness.describe("long_horizon_memory", base))
  print(
    f"MB of temporaries{' / of peak resident memory' if args.peaks else ''}; "
    f"left out: over {args.memory:.0f} GB, over {args.limit:g} s"
  )
  records = []
  for record in sweep(
    {axis: getattr(args, axis) for axis in AXES},
    base,
    rounds=int(args.peaks),
    limit=args.limit,
    most=args.memory * 1e9,
  ):
    records.append(record)
    if args.json:  # Each time: a sweep takes a while.
      text = json.dumps(records, indent=1)
      pathlib.Path(args.json).write_text(text, encoding="utf-8")
  if args.plot:
    plot(args.plot, records)


if __name__ == "__main__":
  main()
