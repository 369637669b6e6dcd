"""Compiled programs of one process: they take turns, and are compared."""

import json
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from benchmarks import compiled as compiled_lib
from inrjax.types import PyTree

# Measured runs of each side, where no flag says otherwise.
ROUNDS = 7


class Program(NamedTuple):
  """One side of a comparison, compiled.

  Attributes:
    run: does the work once, to the end, and returns its results.
    temporaries: bytes beside arguments and results; None where unknown.
  """

  run: Callable[[], PyTree]
  temporaries: int | None


class Seen(NamedTuple):
  """What was seen of one side.

  Attributes:
    seconds: of each measured run; empty where nothing was run.
    temporaries: as `Program.temporaries`.
  """

  seconds: list[float]
  temporaries: int | None

  @property
  def median(self) -> float | None:
    """Median seconds of a run."""
    return statistics.median(self.seconds) if self.seconds else None


def program(fn: Callable[..., PyTree], *args: PyTree) -> Program:
  """`fn(*args)`, compiled; shapes will do for arguments if it never runs."""
  compiled = jax.jit(fn).lower(*args).compile()
  return Program(
    lambda: jax.block_until_ready(compiled(*args)),
    compiled_lib.temporaries(compiled),
  )


def stepping(
  fn: Callable[..., tuple[PyTree, PyTree]], state: PyTree, batch: PyTree
) -> Program:
  """`state, result = fn(state, batch)`, each run going on from the last.

  As in training, the old state's memory becomes the new one's; `state` itself
  is copied and stays. A run returns `(state, result)`, whose state the next
  run uses up.
  """
  compiled = jax.jit(fn, donate_argnums=0).lower(state, batch).compile()
  current = None

  def run() -> PyTree:
    nonlocal current
    if current is None:
      current = jax.tree.map(lambda leaf: leaf.copy(), state)
    current, result = jax.block_until_ready(compiled(current, batch))
    return current, result

  return Program(run, compiled_lib.temporaries(compiled))


def take_turns(
  programs: Mapping[str, Program],
  *,
  rounds: int,
  warmup: int = 1,
  pause: float = 0.3,
) -> dict[str, Seen]:
  """Runs each program once a round, every round beginning with another.

  Args:
    programs: by name.
    rounds: measured runs of each; 0 runs nothing, not even to warm up.
    warmup: runs of each before.
    pause: seconds before each run, in which idle threads of the one before
      stop spinning.
  """
  seconds: dict[str, list[float]] = {name: [] for name in programs}
  names = list(programs)
  for number in range(warmup + rounds if rounds else 0):
    shift = number % len(names)
    for name in [*names[shift:], *names[:shift]]:
      time.sleep(pause)
      start = time.perf_counter()
      programs[name].run()
      if number >= warmup:
        seconds[name].append(time.perf_counter() - start)
  return {n: Seen(seconds[n], p.temporaries) for n, p in programs.items()}


def ratio(one: float | None, other: float | None) -> float | None:
  """`one / other`; None where one of them is unknown, or the other 0."""
  return None if one is None or not other else one / other


def record(
  benchmark: str, name: str, baseline: str, seen: Mapping[str, Seen]
) -> dict[str, Any]:
  """What is published of one side against another: ratios are over it."""
  one, other = seen[name], seen[baseline]
  return {
    "benchmark": benchmark,
    "program": name,
    "baseline": baseline,
    "ratio_time": ratio(one.median, other.median),
    "ratio_memory": ratio(one.temporaries, other.temporaries),
    "memory": "temporaries",
    "seconds": one.median,
    "seconds_baseline": other.median,
    "temporaries": one.temporaries,
    "temporaries_baseline": other.temporaries,
    "rounds": len(one.seconds),
  }


def table(seen: Mapping[str, Seen], baseline: str) -> str:
  """A line for each side: seconds, their spread, memory, ratios."""
  header = (
    f"{'side':<34} {'median s':>9} {'min s':>8} {'max s':>8} {'temp. MB':>9} "
    f"{'time':>6} {'memory':>6}"
  )
  lines = [header, "-" * len(header)]
  for name, found in seen.items():
    compared = record("", name, baseline, seen)
    spread = (min(found.seconds), max(found.seconds)) if found.seconds else ()
    seconds = [
      _text(x, ".4f") for x in (found.median, *(spread or (None,) * 2))
    ]
    memory = None if found.temporaries is None else found.temporaries / 1e6
    ratios = [
      _text(compared[key], ".3f") for key in ("ratio_time", "ratio_memory")
    ]
    lines.append(
      f"{name:<34} {seconds[0]:>9} {seconds[1]:>8} {seconds[2]:>8} "
      f"{_text(memory, '.1f'):>9} {ratios[0]:>6} {ratios[1]:>6}"
    )
  return "\n".join(lines)


def publish(found: Mapping[str, Any]) -> None:
  """Prints a record as one line of JSON."""
  print(json.dumps(found), flush=True)


def _text(value: float | None, form: str) -> str:
  return "-" if value is None else format(value, form)
