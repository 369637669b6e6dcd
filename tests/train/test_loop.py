"""The loop resumes to the bit, obeys signals and stops at a NaN."""

import functools
import itertools
import os
import pathlib
import signal
import subprocess
import sys
import threading
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import train
from tests.train import problems

ROOT = pathlib.Path(__file__).parents[2]


@functools.cache
def noisy_step():
  return train.make_single_step(problems.noisy_objective, problems.SGD)


def run(num_steps, *, folder=None, batches=None, step=None, **options):
  step_fn, placement = step or noisy_step()
  return train.train(
    problems.linear_state(),
    step_fn,
    batches or problems.make_batches(),
    num_steps=num_steps,
    placement=placement,
    checkpointer=folder and train.Checkpointer(folder),
    **options,
  )


class Recorder:
  """A logger that remembers."""

  def __init__(self):
    self.lines = []
    self.closed = False

  def log(self, step, metrics):
    self.lines.append((step, dict(metrics)))

  def close(self):
    self.closed = True


class Watched:
  """Batches that call a function before each."""

  def __init__(self, before):
    self.batches = problems.make_batches()
    self.before = before
    self.count = 0

  def __iter__(self):
    return self

  def __next__(self):
    self.count += 1
    batch = next(self.batches)
    changed = self.before(self.count)
    return batch if changed is None else changed

  def get_state(self):
    return self.batches.get_state()

  def set_state(self, state):
    self.batches.set_state(state)


def test_ten_steps_are_five_and_five(tmp_path):
  straight = run(10)
  assert int(straight.step) == 10
  assert int(run(5, folder=tmp_path).step) == 5
  # fails if parameters, optimiser, key, carry or batches start afresh.
  problems.assert_same(run(10, folder=tmp_path), straight)
  # fails if a finished run trains on.
  problems.assert_same(run(10, folder=tmp_path), straight)


def test_resumes_on_devices_too(tmp_path):
  step = train.make_parallel_step(problems.noisy_objective, problems.SGD)
  straight = run(10, step=step)
  run(5, folder=tmp_path, step=step)
  problems.assert_same(run(10, folder=tmp_path, step=step), straight)


def test_a_damaged_newest_checkpoint_costs_steps_but_not_exactness(tmp_path):
  run(6, folder=tmp_path, checkpoint_every=3)
  (tmp_path / "step_0000000006" / "sha256.json").unlink()
  with pytest.warns(train.CorruptCheckpointWarning):
    resumed = run(8, folder=tmp_path)
  # fails if the batches go on from where the damaged one was.
  problems.assert_same(resumed, run(8))


def test_checkpoints_are_periodic_and_final(tmp_path):
  run(7, folder=tmp_path, checkpoint_every=3)
  assert train.Checkpointer(tmp_path).steps() == [3, 6, 7]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_returns(tmp_path, number):
  def interrupt(count):
    if count == 4:
      signal.raise_signal(number)

  before = signal.getsignal(number)
  recorder = Recorder()
  state = run(
    10, folder=tmp_path, batches=Watched(interrupt), loggers=[recorder]
  )
  # The step whose batch was being drawn is finished, no other begun.
  assert int(state.step) == 4
  assert train.Checkpointer(tmp_path).steps() == [4]
  # fails if the handler is left installed.
  assert signal.getsignal(number) is before
  assert recorder.closed
  problems.assert_same(run(10, folder=tmp_path), run(10))


def test_a_second_signal_acts_as_usual():
  def interrupt(count):
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)

  # A shell starts background jobs with SIGINT ignored.
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  try:
    # fails if an impatient Ctrl-C cannot end the program.
    with pytest.raises(KeyboardInterrupt):
      run(10, batches=Watched(interrupt))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
  finally:
    signal.signal(signal.SIGINT, before)


def test_trains_in_a_thread_where_signals_cannot_be_handled():
  results = []
  thread = threading.Thread(target=lambda: results.append(run(2)))
  thread.start()
  thread.join()
  problems.assert_same(results[0], run(2))


KILLED = """
import os, signal, sys
from inrjax import train
from tests.train import problems, test_loop

def run(count, number):
  def before(drawn):
    if drawn == count:
      os.kill(os.getpid(), number)

  batches = test_loop.Watched(before)
  return test_loop.run(
    20, folder=sys.argv[1], batches=batches, checkpoint_every=2
  )

print(int(run(3, signal.SIGTERM).step), flush=True)
run(6, signal.SIGKILL)
"""


def test_a_killed_process_resumes_to_the_bit(tmp_path):
  result = subprocess.run(
    [sys.executable, "-c", KILLED, tmp_path],
    env=os.environ | {"PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
    timeout=60,
    check=False,
  )
  # fails if SIGTERM is not caught: nothing would be printed.
  assert result.stdout == "3\n", result.stderr
  assert result.returncode == -signal.SIGKILL
  # From step 3 on; killed between the checkpoint of step 8 and step 9.
  assert train.Checkpointer(tmp_path).steps() == [4, 6, 8]
  problems.assert_same(run(10, folder=tmp_path), run(10))


def nan_objective(key, params, carry, batch):
  loss, aux = problems.noisy_objective(key, params, carry, batch)
  return jnp.where(jnp.all(batch == 0), jnp.nan, loss), aux


@functools.cache
def nan_step():
  return train.make_single_step(nan_objective, problems.SGD)


def zeros_at(*counts):
  def before(count):
    if count in counts:
      return np.zeros((8, 3, 2, 3), np.uint8)
    return None

  return Watched(before)


@pytest.mark.parametrize("log_every", [1, 50])
def test_a_nan_stops_with_step_and_metric(tmp_path, log_every):
  recorder = Recorder()
  with pytest.raises(train.NonFiniteError, match="loss.*step 4") as caught:
    run(
      10,
      folder=tmp_path,
      batches=zeros_at(4),
      step=nan_step(),
      checkpoint_every=3,
      loggers=[recorder],
      log_every=log_every,
    )
  # fails if it is seen only when the logs are due.
  assert (caught.value.step, caught.value.metric) == (4, "loss")
  assert train.Checkpointer(tmp_path).steps() == [3]
  assert recorder.closed


def test_a_nan_in_the_last_step_is_not_saved(tmp_path):
  with pytest.raises(train.NonFiniteError, match="step 4"):
    run(4, folder=tmp_path, batches=zeros_at(4), step=nan_step())
  assert train.Checkpointer(tmp_path).steps() == []


def test_going_back_takes_other_data_and_another_key(tmp_path):
  batches = zeros_at(5)
  with pytest.warns(train.RestoredWarning, match="step 5.*step 3"):
    state = run(
      8,
      folder=tmp_path,
      batches=batches,
      step=nan_step(),
      checkpoint_every=3,
      on_nonfinite=train.RestoreLastGood(),
    )
  assert int(state.step) == 8
  assert all(np.isfinite(x).all() for x in problems.as_arrays(state))
  # fails if the batches are wound back: then only 8 distinct ones are drawn.
  # (Steps 4, 5 and the one queued behind them are drawn and thrown away.)
  assert batches.count == 8 + 3
  # fails if the same noise is met again.
  assert not np.array_equal(
    problems.as_arrays(state.key), problems.as_arrays(run(1).key)
  )


def test_going_back_is_bounded(tmp_path):
  batches = zeros_at(*range(3, 100))
  with (
    pytest.warns(train.RestoredWarning) as caught,
    pytest.raises(train.NonFiniteError, match="loss"),
  ):
    run(
      10,
      folder=tmp_path,
      batches=batches,
      step=nan_step(),
      checkpoint_every=2,
      on_nonfinite=train.RestoreLastGood(max_restores=2),
    )
  assert len(caught) == 2


@pytest.mark.parametrize("with_folder", [False, True])
def test_going_back_to_nothing_is_the_error(tmp_path, with_folder):
  with pytest.raises(train.NonFiniteError):
    run(
      10,
      folder=tmp_path if with_folder else None,
      batches=zeros_at(2),
      step=nan_step(),
      on_nonfinite=train.RestoreLastGood(),
    )
  with pytest.raises(ValueError, match="max_restores"):
    train.RestoreLastGood(0)


def test_logs_hold_the_mean_since_the_last_line():
  every, mean = Recorder(), Recorder()
  run(7, loggers=[every], log_every=1)
  run(7, loggers=[mean], log_every=3)
  assert [step for step, _ in mean.lines] == [3, 6, 7]
  losses = [metrics["loss"] for _, metrics in every.lines]
  # fails if a line holds its own step only, or everything so far.
  np.testing.assert_allclose(
    [metrics["loss"] for _, metrics in mean.lines],
    [np.mean(losses[:3]), np.mean(losses[3:6]), losses[6]],
    rtol=1e-6,
  )
  names = {"loss", "grad_norm", "psnr", "steps_per_second"}
  assert all(set(metrics) == names for _, metrics in mean.lines)


def test_what_is_no_step_is_not_in_the_speed(monkeypatch):
  clock = itertools.count()
  fake = types.SimpleNamespace(perf_counter=lambda: float(next(clock)))
  monkeypatch.setattr(train.loop, "time", fake)

  def slow(state):
    for _ in range(1000):
      next(clock)
    return {}

  recorder = Recorder()
  run(6, loggers=[recorder], log_every=2, evaluate_fn=slow, evaluate_every=3)
  speeds = [metrics["steps_per_second"] for _, metrics in recorder.lines]
  # Fails if the steps after an evaluation, or around it, seem slower.
  assert len(speeds) == 3 and min(speeds) > 0.1
  assert max(speeds) < 3 * min(speeds)


def test_evaluation_is_logged_with_the_state_of_its_step():
  recorder = Recorder()
  run(
    5,
    loggers=[recorder],
    log_every=5,
    evaluate_fn=lambda state: {"test/step": float(state.step)},
    evaluate_every=2,
  )
  assert [(s, m["test/step"]) for s, m in recorder.lines] == [
    (2, 2.0),
    (4, 4.0),
    (5, 5.0),
  ]
  assert "loss" not in recorder.lines[0][1]


def test_loggers_are_closed_when_something_fails():
  recorder = Recorder()

  def fail(count):
    raise OSError("no more data")

  with pytest.raises(OSError, match="no more data"):
    run(3, batches=Watched(fail), loggers=[recorder])
  assert recorder.closed


def test_batches_that_run_out_are_named():
  short = [next(problems.make_batches())] * 2
  with pytest.raises(ValueError, match="after step 2"):
    run(3, batches=iter(short))


def test_a_checkpointer_wants_batches_that_resume(tmp_path):
  with pytest.raises(ValueError, match="get_state"):
    run(3, folder=tmp_path, batches=iter([]))


@pytest.mark.parametrize(
  "name", ["checkpoint_every", "log_every", "evaluate_every"]
)
def test_periods_must_be_positive(name):
  with pytest.raises(ValueError, match=name):
    run(3, **{name: 0})


@pytest.mark.parametrize("make_step", ["single", "parallel"])
def test_the_step_is_compiled_once(tmp_path, make_step):
  traced = []

  def objective(key, params, carry, batch):
    traced.append(1)
    return problems.linear_objective(key, params, carry, batch)

  # Python's numbers make weakly typed arrays, which a step returns as strong.
  weak = train.init_state(
    jax.random.key(0),
    {"w": jnp.broadcast_to(jnp.asarray(0.5), (18, 18))},
    problems.SGD,
    carry={"mean": 0.0, "count": 0},
  )
  step_fn, placement = getattr(train, f"make_{make_step}_step")(
    objective, problems.SGD
  )
  state = weak
  for num_steps, start in ((3, weak), (6, weak), (8, None)):
    # At last from what the call before returned, as in a second phase.
    state = train.train(
      start or state,
      step_fn,
      problems.make_batches(),
      num_steps=num_steps,
      placement=placement,
      checkpointer=train.Checkpointer(tmp_path),
    )
  # fails if a weak type, or a restored state, means to compile again.
  assert len(traced) == 1


def test_the_state_given_is_left_alone():
  step_fn, placement = noisy_step()
  state = problems.linear_state()
  train.train(
    state,
    step_fn,
    problems.make_batches(),
    num_steps=2,
    placement=placement,
  )
  problems.assert_same(state, problems.linear_state())
