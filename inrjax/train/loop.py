"""The training loop: batches in, checkpoints and logs out."""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import jax

from inrjax import types
from inrjax.train import checkpoint, interrupt, logging, parallel
from inrjax.train import step as step_lib

# Steps dispatched ahead of the one whose result is awaited: enough to keep the
# device busy, few enough that a signal is answered soon and that collectives
# on virtual CPU devices, which deadlock when many are queued, are safe.
_STEPS_AHEAD = 1


class NonFiniteError(FloatingPointError):
  """A loss, gradient or update is NaN or infinite.

  Attributes:
    step: the step (counted from 1) in which it appeared.
    metric: the name of the first metric that shows it.
  """

  def __init__(self, step: int, metric: str, value: float):
    super().__init__(
      f"{metric} is {value} in step {step}; the parameters from before that "
      "step are kept. Lower the learning rate, clip the gradient, or go back "
      "to the last checkpoint with loop.RestoreLastGood()."
    )
    self.step = step
    self.metric = metric


class RestoredWarning(UserWarning):
  """Training went back to a checkpoint after a value that is not finite."""


@runtime_checkable
class Batches(Protocol):
  """An iterator that can be resumed, such as `data.make_pipeline` gives."""

  def __next__(self) -> Any:
    """The next batch."""

  def get_state(self) -> dict[str, Any]:
    """Where it stands, as a dictionary for JSON."""

  def set_state(self, state: dict[str, Any]) -> None:
    """Goes to where `get_state` was called."""


class OnNonFinite(Protocol):
  """What to do about a value that is not finite."""

  def __call__(
    self,
    error: NonFiniteError,
    state: step_lib.TrainState,
    checkpointer: checkpoint.Checkpointer | None,
  ) -> step_lib.TrainState:
    """Returns the state to go on from, or raises the error.

    Args:
      error: what happened.
      state: a state of the right structure (the run's first).
      checkpointer: the run's checkpoints, if it keeps any.
    """


def stop(
  error: NonFiniteError,
  state: step_lib.TrainState,
  checkpointer: checkpoint.Checkpointer | None,
) -> step_lib.TrainState:
  """Ends the run: the default `OnNonFinite`.

  Raises:
    NonFiniteError: always.
  """
  del state, checkpointer
  raise error


class RestoreLastGood:
  """Goes back to the newest whole checkpoint, a bounded number of times.

  The batches are not wound back and the run's random key is changed, so the
  steps done again see other data and other noise: exactly the same ones would
  meet the same value again.
  """

  def __init__(self, max_restores: int = 3):
    """Sets the bound.

    Args:
      max_restores: how often to go back before giving up, at least 1.

    Raises:
      ValueError: for a bound below 1.
    """
    if max_restores < 1:
      raise ValueError(f"max_restores must be at least 1, got {max_restores}.")
    self._left = max_restores

  def __call__(
    self,
    error: NonFiniteError,
    state: step_lib.TrainState,
    checkpointer: checkpoint.Checkpointer | None,
  ) -> step_lib.TrainState:
    """Restores; raises `error` without a checkpoint or restores left."""
    if checkpointer is None or not self._left:
      raise error
    restored = checkpointer.restore(state)
    if restored is None:
      raise error
    key = jax.random.fold_in(restored.state.key, self._left)
    self._left -= 1
    warnings.warn(
      f"{error.metric} was not finite in step {error.step}; went back to step "
      f"{int(restored.state.step)}, {self._left} more times possible.",
      RestoredWarning,
      stacklevel=2,
    )
    return restored.state._replace(key=key)


def train(
  state: step_lib.TrainState,
  step_fn: step_lib.StepFn,
  batches: Iterator[Any],
  *,
  num_steps: int,
  placement: parallel.Placement,
  checkpointer: checkpoint.Checkpointer | None = None,
  checkpoint_every: int = 1000,
  log_every: int = 50,
  loggers: Sequence[logging.Logger] = (),
  on_nonfinite: OnNonFinite = stop,
  evaluate_fn: Callable[[step_lib.TrainState], Mapping[str, float]]
  | None = None,
  evaluate_every: int = 1000,
) -> step_lib.TrainState:
  """Trains up to a step, from the newest checkpoint if there is one.

  SIGTERM and SIGINT end it early, after the steps under way and a checkpoint;
  the state returned then has `step < num_steps`. A second signal acts as
  usual. Called again with the same arguments, training goes on to the bit as
  if it had not been interrupted.

  Args:
    state: the state to start from, one copy; it is left as it is.
    step_fn: the compiled step, of `parallel.make_single_step` or
      `parallel.make_parallel_step`.
    batches: this host's batches, leading axis B; with a checkpointer they have
      to be resumable (`Batches`).
    num_steps: the step to end at, counted from the very beginning.
    placement: what came with `step_fn`.
    checkpointer: where to keep checkpoints; None keeps none.
    checkpoint_every: steps between two; there is always one at the end.
    log_every: steps between two lines of the logs, over which metrics are
      averaged.
    loggers: used in the first process only, and closed at the end.
    on_nonfinite: `stop`, or `RestoreLastGood()`.
    evaluate_fn: gives metrics of a state to log, on the host and in every
      process; the next step takes the state's memory, so it keeps none of it.
    evaluate_every: steps between two calls of it.

  Returns:
    The last state, one copy.

  Raises:
    NonFiniteError: if `on_nonfinite` gives up.
    CheckpointError: if a checkpoint cannot be written.
    ValueError: for periods below 1, batches that run out, or batches that
      cannot be resumed beside a checkpointer.
  """
  _check_arguments(
    batches,
    checkpointer,
    checkpoint_every=checkpoint_every,
    log_every=log_every,
    evaluate_every=evaluate_every,
  )
  first = state
  if checkpointer is not None:
    restored = checkpointer.restore(state)
    if restored is not None:
      state = restored.state
      _resume(batches, restored.pipeline)
  step = saved = int(state.step)
  live = placement.replicate(state)
  in_flight: list[tuple[int, types.Metrics]] = []
  mean = _Mean()

  def save() -> None:
    nonlocal saved
    if checkpointer is not None and saved != step:
      checkpointer.save(
        placement.unreplicate(live), pipeline=_state_of(batches)
      )
      saved = step

  with interrupt.Signals() as signals, _Closing(loggers):
    while step < num_steps and not signals.stop(step):
      live, metrics = step_fn(live, placement.shard(_next(batches, step)))
      step += 1
      in_flight.append((step, metrics))
      log_due = step % log_every == 0 or step == num_steps
      save_due = step % checkpoint_every == 0 or step == num_steps
      evaluate_due = evaluate_fn is not None and (
        step % evaluate_every == 0 or step == num_steps
      )
      ahead = 0 if log_due or save_due or evaluate_due else _STEPS_AHEAD
      try:
        mean.drain(in_flight, ahead, placement)
      except NonFiniteError as error:
        state = on_nonfinite(error, first, checkpointer)
        live = placement.replicate(state)
        step = saved = int(state.step)
        in_flight.clear()
        mean = _Mean()
        continue
      values = mean.take() if log_due else {}
      since = time.perf_counter()
      if evaluate_due and evaluate_fn is not None:
        values |= evaluate_fn(placement.unreplicate(live))
      if values and parallel.is_primary():
        for logger in loggers:
          logger.log(step, values)
      if save_due:
        save()
      mean.skip(time.perf_counter() - since)
    mean.drain(in_flight, 0, placement)
    save()
  return placement.unreplicate(live)


class _Mean:
  """Averages metrics since the last time they were taken."""

  def __init__(self) -> None:
    self._sums: dict[str, float] = {}
    self._count = 0
    self._since = time.perf_counter()

  def drain(
    self,
    in_flight: list[tuple[int, types.Metrics]],
    ahead: int,
    placement: parallel.Placement,
  ) -> None:
    """Waits for all steps but the last few and adds their metrics.

    Raises:
      NonFiniteError: for the first step that was not finite.
    """
    while len(in_flight) > ahead:
      step, metrics = in_flight.pop(0)
      values = {
        name: float(value)
        for name, value in jax.device_get(
          placement.unreplicate(metrics)
        ).items()
      }
      _check_finite(step, values)
      for name, value in values.items():
        self._sums[name] = self._sums.get(name, 0.0) + value
      self._count += 1

  def skip(self, seconds: float) -> None:
    """Leaves out of the speed what took no steps."""
    self._since += seconds

  def take(self) -> dict[str, float]:
    """The means, with the speed, since the last call."""
    now = time.perf_counter()
    values = {name: total / self._count for name, total in self._sums.items()}
    values.pop(step_lib.FINITE, None)
    values["steps_per_second"] = self._count / (now - self._since)
    self._sums, self._count, self._since = {}, 0, now
    return values


class _Closing:
  """Closes loggers on the way out, whatever happened."""

  def __init__(self, loggers: Sequence[logging.Logger]):
    self._loggers = loggers

  def __enter__(self) -> None:
    pass

  def __exit__(self, *exception: object) -> None:
    for logger in self._loggers:
      logger.close()


def _check_finite(step: int, values: dict[str, float]) -> None:
  if values.get(step_lib.FINITE, 1.0) and math.isfinite(values[step_lib.LOSS]):
    return
  names = [step_lib.LOSS, step_lib.GRAD_NORM, *sorted(values)]
  for name in names:
    if not math.isfinite(values.get(name, 0.0)):
      raise NonFiniteError(step, name, values[name])
  raise NonFiniteError(step, "update", math.nan)


def _check_arguments(
  batches: Iterator[Any],
  checkpointer: checkpoint.Checkpointer | None,
  **periods: int,
) -> None:
  for name, period in periods.items():
    if period < 1:
      raise ValueError(f"{name} must be at least 1, got {period}.")
  if checkpointer is not None and not isinstance(batches, Batches):
    raise ValueError(
      "A checkpointer needs batches with get_state and set_state, such as "
      f"data.make_pipeline gives; got {type(batches).__name__}."
    )


def _next(batches: Iterator[Any], step: int) -> Any:
  try:
    return next(batches)
  except StopIteration as error:
    raise ValueError(
      f"The batches ended after step {step}; raise num_epochs or lower "
      "num_steps."
    ) from error


def _resume(batches: Iterator[Any], pipeline: dict[str, Any] | None) -> None:
  if isinstance(batches, Batches) and pipeline is not None:
    batches.set_state(pipeline)


def _state_of(batches: Iterator[Any]) -> dict[str, Any] | None:
  return batches.get_state() if isinstance(batches, Batches) else None
