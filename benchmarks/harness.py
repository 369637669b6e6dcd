"""Starts the sides, lets them take turns, and writes what was seen."""

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import math
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import case as case_lib

# Large buffers without their page faults: for every side, or the allocator and
# not the program would be compared.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
# How far the sides' first losses may lie apart, relatively.
TOLERANCE = 1e-4
# The same where points are ranked: of two whose errors round to the same, each
# side may take another.
RANKED_TOLERANCE = 1e-3
LABELS = {
  "ours": "inrjax",
  "jax": "(a) JAX, reverse over reverse",
  "torch": "(b) PyTorch",
}


class Disagreement(RuntimeError):
  """Two sides did not compute the same loss: their times mean nothing."""


class TooLong(RuntimeError):
  """A side has not answered within the time it was given."""


class Stopped(RuntimeError):
  """The process of a side has ended, for want of memory perhaps."""


class TooLarge(RuntimeError):
  """A side would need more memory than it may have.

  Attributes:
    temporaries: bytes of its program's temporaries.
  """

  def __init__(self, side: str, temporaries: int) -> None:
    super().__init__(
      f"Side {side!r} needs {temporaries / 1e9:.1f} GB of temporaries."
    )
    self.temporaries = temporaries


@dataclasses.dataclass(frozen=True)
class Measured:
  """What was seen of one side.

  Attributes:
    seconds: of each measured run.
    losses: of every run, warm-up included.
    peak: bytes of resident memory at most, compilation included.
    temporaries: bytes of the compiled program's temporaries, or None.
  """

  seconds: list[float]
  losses: list[float]
  peak: int
  temporaries: int | None

  @property
  def median(self) -> float:
    """Median seconds of a run."""
    return statistics.median(self.seconds)


@contextlib.contextmanager
def _worker(
  side: str, task: str, case: case_lib.Case
) -> Iterator["subprocess.Popen[str]"]:
  command = [sys.executable, "-m", "benchmarks.worker"]
  command += [f"--side={side}", f"--task={task}"]
  command += [f"--case={json.dumps(dataclasses.asdict(case))}"]
  process = subprocess.Popen(
    command,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
    env=os.environ | ENVIRONMENT,
  )
  try:
    yield process
  finally:
    if process.stdin is not None:
      # A worker that has died has said why on standard error.
      with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.wait()
    if process.stdout is not None:
      process.stdout.close()


def _answer(
  side: str, process: "subprocess.Popen[str]", limit: float | None = None
) -> dict[str, Any]:
  """The next line of a worker's output.

  Raises:
    TooLong: if there is none after `limit` seconds.
    Stopped: if there will be none.
  """
  if process.stdout is None:
    raise RuntimeError("The worker was started without standard output.")
  # A worker writes one line for each it reads, so that none is left buffered.
  if not select.select([process.stdout], [], [], limit)[0]:
    process.kill()
    raise TooLong(f"Side {side!r} did not answer within {limit:g} seconds.")
  line = process.stdout.readline()
  if not line:
    raise Stopped(
      f"The process of side {side!r} stopped; its message is above."
    )
  answer: dict[str, Any] = json.loads(line)
  return answer


def _run(
  side: str, process: "subprocess.Popen[str]", limit: float | None = None
) -> dict[str, Any]:
  if process.stdin is None:
    raise RuntimeError("The worker was started without standard input.")
  process.stdin.write("run\n")
  process.stdin.flush()
  return _answer(side, process, limit)


def measure(
  task: str,
  case: case_lib.Case,
  sides: Sequence[str],
  *,
  rounds: int,
  warmup: int = 2,
  pause: float = 0.3,
) -> dict[str, Measured]:
  """Lets the sides take turns.

  Args:
    task: `train_step` or `encode`.
    case: the problem.
    sides: names out of `LABELS`.
    rounds: measured runs of each side.
    warmup: runs of each side before.
    pause: seconds between turns, in which idle threads of the side before stop
      spinning.

  Returns:
    What was seen of each side.

  Raises:
    Disagreement: if a first loss differs from the first side's by more than
      the tolerance.
  """
  with contextlib.ExitStack() as stack:
    processes, temporaries = {}, {}
    for side in sides:
      processes[side] = stack.enter_context(_worker(side, task, case))
      # One after the other: nothing is compiled while another compiles.
      temporaries[side] = _answer(side, processes[side])["temporaries"]
    answers: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for number in range(warmup + rounds):
      shift = number % len(sides)
      for side in [*sides[shift:], *sides[:shift]]:
        time.sleep(pause)
        answers[side].append(_run(side, processes[side]))
  measured = {
    side: Measured(
      seconds=[a["seconds"] for a in answers[side][warmup:]],
      losses=[a["loss"] for a in answers[side]],
      peak=answers[side][-1]["peak"],
      temporaries=temporaries[side],
    )
    for side in sides
  }
  _check_losses(measured, TOLERANCE if case.gamma == 1 else RANKED_TOLERANCE)
  return measured


def alone(
  side: str,
  task: str,
  case: case_lib.Case,
  *,
  rounds: int,
  limit: float | None = None,
  most: float = math.inf,
) -> Measured:
  """One side in a fresh process, without a warm-up.

  Args:
    side: a name out of `LABELS`.
    task: `train_step` or `encode`.
    case: the problem.
    rounds: runs; 0 compiles and no more.
    limit: seconds for compilation, and for each run; None for any number.
    most: bytes that the temporaries may have.

  Raises:
    TooLong: if it takes longer.
    TooLarge: if there are more, before anything is run.
    Stopped: if the process ends.
  """
  with _worker(side, task, case) as process:
    ready = _answer(side, process, limit)
    temporaries = ready["temporaries"]
    if temporaries is not None and temporaries > most:
      raise TooLarge(side, temporaries)
    answers = [_run(side, process, limit) for _ in range(rounds)]
  return Measured(
    seconds=[a["seconds"] for a in answers],
    losses=[a["loss"] for a in answers],
    peak=[ready, *answers][-1]["peak"],
    temporaries=temporaries,
  )


def _check_losses(measured: dict[str, Measured], tolerance: float) -> None:
  first, *others = measured
  expected = measured[first].losses[0]
  for side in others:
    loss = measured[side].losses[0]
    if not abs(loss - expected) <= tolerance * abs(expected):
      raise Disagreement(
        f"{side!r} has the loss {loss:.8g} and {first!r} {expected:.8g} at the "
        "same parameters; times of different computations do not compare."
      )


def record(
  task: str, case: case_lib.Case, baseline: str, measured: dict[str, Measured]
) -> dict[str, Any]:
  """What is published of our side against one baseline.

  `ratio_memory` compares the temporaries of the compiled programs where both
  sides are compiled, and the peak resident memory of the processes otherwise;
  `memory` says which.
  """
  ours, other = measured["ours"], measured[baseline]
  ratio_rss = ours.peak / other.peak
  if ours.temporaries is not None and other.temporaries:
    memory, ratio = "temporaries", ours.temporaries / other.temporaries
  else:
    memory, ratio = "peak_rss", ratio_rss
  last = min(len(ours.losses), len(other.losses)) - 1
  return {
    "benchmark": task,
    "baseline": baseline,
    **dataclasses.asdict(case),
    "ratio_time": ours.median / other.median,
    "ratio_memory": ratio,
    "memory": memory,
    "ratio_rss": ratio_rss,
    "seconds": ours.median,
    "seconds_baseline": other.median,
    "peak_rss": ours.peak,
    "peak_rss_baseline": other.peak,
    "temporaries": ours.temporaries,
    "temporaries_baseline": other.temporaries,
    "loss": ours.losses[0],
    "loss_baseline": other.losses[0],
    "last_loss": ours.losses[last],
    "last_loss_baseline": other.losses[last],
    "rounds": len(ours.seconds),
  }


def table(measured: dict[str, Measured]) -> str:
  """A line for each side: seconds, their spread, memory, ratios."""
  header = (
    f"{'side':<30} {'median s':>9} {'min s':>8} {'max s':>8} "
    f"{'RSS MB':>7} {'temp. MB':>8} {'ours/it':>7}"
  )
  lines = [header, "-" * len(header)]
  ours = measured["ours"].median
  for side, m in measured.items():
    temporaries = "-" if m.temporaries is None else f"{m.temporaries / 1e6:.1f}"
    lines.append(
      f"{LABELS[side]:<30} {m.median:>9.4f} {min(m.seconds):>8.4f} "
      f"{max(m.seconds):>8.4f} {m.peak / 1e6:>7.0f} {temporaries:>8} "
      f"{ours / m.median:>7.3f}"
    )
  return "\n".join(lines)


def describe(task: str, case: case_lib.Case) -> str:
  """A line about the problem."""
  grid = "x".join(map(str, case.shape))
  text = (
    f"{task}: {case.depth} x {case.width}, latent {case.latent_dim}, "
    f"{case.num_images} of {grid}, {case.num_steps} inner steps"
  )
  if case.gamma < 1:
    text += f" on {case.gamma:.3g} of the points"
  if case.target_steps:
    text += f", target {case.target_steps} steps further"
  return text


def _tile(text: str) -> int | None:
  return None if text == "all" else int(text)


def parser(
  program: str, description: str | None, defaults: case_lib.Case
) -> argparse.ArgumentParser:
  """Flags for the fields of `Case`."""
  result = argparse.ArgumentParser(
    prog=f"python -m benchmarks.{program}", description=description
  )
  for field in dataclasses.fields(defaults):
    default = getattr(defaults, field.name)
    if field.name.endswith("_tile"):
      what = field.name.removesuffix("_tile")
      kind, text = _tile, f"{what}s at a time on our side, or `all`"
    else:
      kind, text = type(default), f"default {default}"
    result.add_argument(
      f"--{field.name}", type=kind, default=default, help=text
    )
  return result


def case_of(args: argparse.Namespace) -> case_lib.Case:
  """The case that the flags of `parser` describe."""
  names = [field.name for field in dataclasses.fields(case_lib.Case)]
  return case_lib.Case(**{name: getattr(args, name) for name in names})


def parse(
  program: str, description: str | None, defaults: case_lib.Case
) -> argparse.Namespace:
  """Reads the flags of a comparison."""
  flags = parser(program, description, defaults)
  flags.add_argument(
    "--rounds", type=int, default=9, help="measured runs of each side"
  )
  flags.add_argument(
    "--baselines",
    nargs="*",
    choices=["jax", "torch"],
    default=None,
    help="default: jax, and torch where it is installed",
  )
  return flags.parse_args()


def main(
  task: str,
  description: str | None,
  *,
  defaults: case_lib.Case,
  program: str | None = None,
  memory_at: Sequence[int] = (),
) -> None:
  """Measures, prints the table, and a JSON object for each baseline.

  Args:
    task: `train_step` or `encode`.
    description: what `--help` says.
    defaults: the case where no flag says otherwise.
    program: the benchmark's own name, where it differs from the task's.
    memory_at: numbers of inner steps at which our program is also compiled, to
      see whether its temporaries grow with them.
  """
  args = parse(program or task, description, defaults)
  case = case_of(args)
  baselines = args.baselines
  if baselines is None:
    has_torch = importlib.util.find_spec("torch") is not None
    baselines = ["jax", "torch"] if has_torch else ["jax"]
    if not has_torch:
      print("PyTorch is not installed: baseline (b) is left out.")
  print(f"{describe(task, case)}; {args.rounds} rounds", flush=True)
  measured = measure(task, case, ["ours", *baselines], rounds=args.rounds)
  print(table(measured))
  extra = {}
  if memory_at:
    grown = {
      number: alone(
        "ours", task, dataclasses.replace(case, num_steps=number), rounds=0
      ).temporaries
      for number in memory_at
    }
    extra = {"temporaries_by_num_steps": grown}
    print(f"Bytes of our temporaries by inner steps: {grown}")
  for baseline in baselines:
    print(json.dumps(record(task, case, baseline, measured) | extra))
