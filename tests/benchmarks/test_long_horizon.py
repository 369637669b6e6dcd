"""The benchmarks of long inner loops report what was there."""

import contextlib
import dataclasses
import json
import math
import subprocess
import sys

import pytest

from benchmarks import case as case_lib
from benchmarks import harness, large_step, long_horizon_memory

# One number of bytes for the compiled program, another after each run.
WORKER = """
import sys
print('{"temporaries": 1000000, "peak": 2000000}', flush=True)
for line in sys.stdin:
  print('{"seconds": 0.5, "loss": 1.5, "peak": 3000000}', flush=True)
"""
NO_LIMITS = {"rounds": 0, "limit": 100.0, "most": math.inf}


@pytest.fixture
def fake_worker(monkeypatch):
  """Puts a script in the place of the process of a side."""

  def install(script):
    @contextlib.contextmanager
    def made(side, task, case):
      with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
      ) as process:
        yield process

    monkeypatch.setattr(harness, "_worker", made)

  return install


def found(script, fake_worker, **limits):
  fake_worker(script)
  return long_horizon_memory.measure(
    "ours", long_horizon_memory.BASE, **NO_LIMITS | limits
  )


def test_memory_is_that_of_the_program_or_of_the_process(fake_worker):
  # Fails if the peak is taken before the run.
  assert str(found(WORKER, fake_worker)) == "1.0"
  assert found(WORKER, fake_worker) == (1000000, None, "")
  assert found(WORKER, fake_worker, rounds=1) == (1000000, 3000000, "")


def test_what_is_left_out_says_why(fake_worker):
  # Fails if a side that hangs, ends or asks for too much stops the sweep, or
  # is run although it does not fit.
  slow = found("input()", fake_worker, limit=0.2)
  assert slow == (None, None, "over 0.2 s")
  large = found(WORKER + "\n  raise Exception", fake_worker, most=999999)
  assert large == (None, None, "1: does not fit")
  ended = found("", fake_worker)
  assert ended == (None, None, "process ended")


def test_each_program_is_measured_once_at_what_the_table_says(
  monkeypatch, capsys
):
  # Fails if a program gets another's changes, a row another's value, or a
  # program that two axes share is compiled twice.
  asked = []

  def alone(side, task, case, **limits):
    asked.append((side, case))
    temporaries = 10**6 * case.num_steps * (case.point_tile or 5)
    return harness.Measured([], [], 0, temporaries)

  monkeypatch.setattr(harness, "alone", alone)
  base = dataclasses.replace(case_lib.ecop(), point_tile=2, num_steps=1)
  axes = {"num_steps": [1, 4], "gamma": [0.25, 1.0], "side": [96]}
  records = list(long_horizon_memory.sweep(axes, base, **NO_LIMITS))
  assert len(records) == 15 and len(set(asked)) == len(asked) == 9
  assert asked[4:6] == [
    ("ours", dataclasses.replace(base, num_steps=4, point_tile=None)),
    ("jax", dataclasses.replace(base, num_steps=4)),
  ]
  rows = [row.split() for row in capsys.readouterr().out.splitlines()]
  assert rows[2:4] == [
    ["1", "2.0", "5.0", "2.0"],
    ["4", "8.0", "20.0", "8.0"],
  ]
  assert [row[0] for row in rows if row[1:2] == ["2.0"]] == [
    *("1", "0.25", "1.0", "96")
  ]


def test_command_writes_a_table_a_file_and_a_figure(
  fake_worker, tmp_path, capsys
):
  # Fails if what was left out, or a value alone on its axis, cannot be drawn.
  fake_worker(WORKER)
  flags = ["--num_steps", "4", "1", "--gamma", "0.5", "--side", "8", "--peaks"]
  outputs = [tmp_path / "a.json", tmp_path / "a.png"]
  flags += [f"--json={outputs[0]}", f"--plot={outputs[1]}"]
  long_horizon_memory.main(flags)
  records = json.loads(outputs[0].read_text(encoding="utf-8"))
  assert len(records) == 12 and {r["peak"] for r in records} == {3000000}
  assert [(r["num_steps"], r["gamma"], r["num_points"]) for r in records] == [
    *[(4, 0.25, 96**2)] * 3,
    *[(1, 0.25, 96**2)] * 3,
    *[(4, 0.5, 96**2)] * 3,
    *[(4, 0.25, 64)] * 3,
  ]
  assert outputs[1].read_bytes()[:4] == b"\x89PNG"
  left_out = [r | {"temporaries": None, "peak": None} for r in records[:3]]
  long_horizon_memory.plot(str(outputs[1]), left_out + records[3:])
  assert "1.0 / 3" in capsys.readouterr().out
  with pytest.raises(SystemExit):
    long_horizon_memory.parse([f"--json={tmp_path / 'none' / 'a.json'}"])


@pytest.mark.parametrize(
  ("flags", "shape", "target_steps"),
  [
    ([], (1024, 1024), 0),
    (["--num_steps=16", "--gamma=0.25"], (1024, 1024), 5),
    (["--signal=video256", "--num_frames=8"], (8, 256, 256), 0),
  ],
)
def test_flags_of_a_large_step(flags, shape, target_steps):
  # Fails if a flag's default takes the place of a signal's own size.
  case = large_step.parse(flags)
  assert (case.shape, case.target_steps) == (shape, target_steps)
  assert case.depth == (7 if len(shape) == 3 else 5)


def test_a_large_step_takes_one_step(capsys):
  sizes = ["--side=8", "--num_frames=2", "--depth=2", "--width=8"]
  sizes += ["--point_tile=16", "--gamma=0.5", "--num_steps=1"]
  large_step.main(sizes)
  record = json.loads(capsys.readouterr().out.splitlines()[-1])
  assert record["benchmark"] == "large_step" and record["seconds"] > 0
  assert record["peak_rss"] > record["temporaries"] > 0


def test_a_share_of_points_outside_its_range_is_refused():
  for gamma in (0.0, 1.5):
    with pytest.raises(ValueError, match=r"\(0, 1\], got"):
      case_lib.Case(gamma=gamma)
