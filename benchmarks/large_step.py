"""One training step on one large signal, in tiles, in a fresh process.

Says how many seconds the step took and how much memory was resident at most,
with Python, JAX and compilation. Pruned contexts have a target five steps
further on all points (ECoP), full ones have none (Learnit).
"""

import argparse
import dataclasses
import json
from collections.abc import Sequence

from benchmarks import case as case_lib
from benchmarks import harness

# Few enough points for a small peak, enough for two cores to share.
_TILE = 8192
SIGNALS = {
  "image1024": dataclasses.replace(
    case_lib.maml(), side=1024, point_tile=_TILE
  ),
  "video256": dataclasses.replace(
    case_lib.maml(), depth=7, side=256, num_frames=32, point_tile=_TILE
  ),
}


def parse(arguments: Sequence[str] | None) -> case_lib.Case:
  """The case that the flags describe."""
  parser = argparse.ArgumentParser(
    prog="python -m benchmarks.large_step", description=__doc__
  )
  parser.add_argument(
    "--signal",
    choices=sorted(SIGNALS),
    default="image1024",
    help="a photograph, or a clip of 32 frames; default %(default)s",
  )
  parser.add_argument(
    "--num_steps", type=int, default=4, help="K, default %(default)s"
  )
  parser.add_argument(
    "--gamma",
    type=float,
    default=1.0,
    help="share of the points that a step sees, default %(default)s",
  )
  for name in ("side", "num_frames", "depth", "width", "point_tile"):
    parser.add_argument(
      f"--{name}", type=int, help="in place of the signal's own"
    )
  args = vars(parser.parse_args(arguments))
  signal = SIGNALS[args.pop("signal")]
  given = {name: value for name, value in args.items() if value is not None}
  case = dataclasses.replace(signal, **given)
  if case.gamma == 1:
    return case
  return dataclasses.replace(case, target_steps=case_lib.ecop().target_steps)


def main(arguments: Sequence[str] | None = None) -> None:
  """Takes the step."""
  case = parse(arguments)
  print(harness.describe("large_step", case), flush=True)
  seen = harness.alone("ours", "train_step", case, rounds=1)
  if seen.temporaries is not None:
    print(f"temporaries of the program: {seen.temporaries / 1e9:.2f} GB")
  print(f"peak resident memory: {seen.peak / 1e9:.2f} GB")
  print(f"seconds of the step: {seen.median:.1f}")
  found = {
    "benchmark": "large_step",
    **dataclasses.asdict(case),
    "seconds": seen.median,
    "peak_rss": seen.peak,
    "temporaries": seen.temporaries,
    "loss": seen.losses[0],
  }
  print(json.dumps(found))


if __name__ == "__main__":
  main()
