"""What launchers share: training as a config says, and what came of it."""

import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

from experiments import build, evaluation
from inrjax import train
from inrjax.evaluate import files
from inrjax.train import parallel

# `(objective, optimizer) -> (step, placement)`.
MakeStep = Callable[..., tuple[train.StepFn, train.Placement]]


def fit(
  config: build.Section,
  workdir: pathlib.Path,
  problem: build.Problem,
  batches: Iterator[Any],
  *,
  evaluate_fn: Callable[[train.TrainState], Mapping[str, float]],
  make_step: MakeStep | None = None,
  shown: tuple[str, ...] = ("loss", "psnr", "expected_l0", "open_gates"),
) -> train.TrainState:
  """Trains as section `train` says, from the newest checkpoint if there is one.

  Args:
    config: the whole config.
    workdir: where checkpoints and logs go.
    problem: what is trained.
    batches: of this host, resumable (`train.Batches`).
    evaluate_fn: metrics of a state, logged now and then.
    make_step: of `train.parallel`; by default over all devices.
    shown: metrics that the progress bar shows.

  Returns:
    The last state.

  Raises:
    SystemExit: if it was stopped before the last step, and saved.
  """
  settings = dict(config["train"])
  num_steps = settings["num_steps"]
  keep = settings.pop("keep_checkpoints")
  settings["on_nonfinite"] = build.on_nonfinite(settings["on_nonfinite"])
  if make_step is None:
    make_step = (
      parallel.make_parallel_step
      if jax.device_count() > 1
      else parallel.make_single_step
    )
  step_fn, placement = make_step(problem.objective, problem.optimizer)
  state = train.train(
    problem.state,
    step_fn,
    batches,
    placement=placement,
    checkpointer=_checkpointer(config, workdir, keep),
    loggers=_loggers(workdir, num_steps, shown),
    evaluate_fn=evaluate_fn,
    **settings,
  )
  if int(state.step) < num_steps:
    raise SystemExit(
      f"Stopped at step {int(state.step)} of {num_steps} and saved; the same "
      "command goes on from there."
    )
  return state


def trained(
  config: build.Section,
  workdir: pathlib.Path,
  like: train.TrainState,
  trained_in: pathlib.Path | None = None,
  *,
  step: int | None = None,
) -> train.TrainState:
  """What was trained.

  Args:
    config: the whole config.
    workdir: the working folder.
    like: a state of the same structure.
    trained_in: another run's working folder; None is this run's own.
    step: whose checkpoint is read; None is the newest.

  Raises:
    SystemExit: if there is no folder, or no checkpoint in it.
  """
  folder = trained_in or workdir
  if trained_in is not None and not folder.is_dir():
    raise SystemExit(f"--trained_in: there is no folder {folder}.")
  keep = config["train"]["keep_checkpoints"]
  restored = _checkpointer(config, folder, keep).restore(like, step=step)
  if restored is None:
    raise SystemExit(
      f"There is no checkpoint in {folder}; train first, with "
      "--mode=train and the same --config and --workdir."
    )
  print(f"Using the checkpoint of step {int(restored.state.step)}.")
  return restored.state


def write_record(workdir: pathlib.Path, record: evaluation.Record) -> None:
  """Writes what an evaluation found; the first process alone does."""
  if parallel.is_primary():
    with files.replacing(workdir / evaluation.RESULTS) as path:
      path.write_text(json.dumps(record, indent=2) + "\n")


def _checkpointer(
  config: build.Section, folder: pathlib.Path, keep: int
) -> train.Checkpointer:
  return train.Checkpointer(
    folder / "checkpoints", keep=keep, milestones=build.milestones(config)
  )


def _loggers(
  workdir: pathlib.Path, num_steps: int, shown: tuple[str, ...]
) -> list[train.Logger]:
  if not parallel.is_primary():
    return []
  return [
    train.JsonLinesLogger(workdir / "log.jsonl"),
    train.TensorboardLogger(workdir / "tensorboard"),
    train.ProgressLogger(num_steps, metrics=shown),
  ]
