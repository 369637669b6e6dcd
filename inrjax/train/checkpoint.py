"""Checkpoints that are atomic, few, and known to be whole.

Orbax writes the arrays. Beside them lies the SHA-256 of every file, since a
flipped bit would otherwise be restored in silence. A checkpoint is built under
another name and renamed when it is complete.
"""

import contextlib
import hashlib
import json
import logging
import os
import pathlib
import re
import shutil
import warnings
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from inrjax import types
from inrjax.train import leaves, parallel
from inrjax.train import step as step_lib

_NAME = re.compile(r"step_(\d{10})")
_PARTIAL = ".partial"
_DIGESTS = "sha256.json"
_ARRAYS = "arrays"
_META = "meta"
# Orbax reports the failures of its storage layer as these.
_STORAGE_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError)


class CheckpointError(RuntimeError):
  """A checkpoint cannot be written, or none can be read."""


class CorruptCheckpointWarning(UserWarning):
  """A checkpoint is damaged; the one before it is tried."""


class Restored(NamedTuple):
  """What a checkpoint holds.

  Attributes:
    state: the training state, in host memory.
    pipeline: the input pipeline's iterator state.
  """

  state: step_lib.TrainState
  pipeline: dict[str, Any] | None


class Checkpointer:
  """The last few checkpoints of a run, in one folder.

  With several processes all of them call the methods; the first one writes,
  and the folder has to be visible to all.
  """

  def __init__(
    self,
    directory: str | os.PathLike[str],
    *,
    keep: int = 3,
    milestones: Collection[int] = (),
  ):
    """Opens a folder of checkpoints.

    Args:
      directory: made if missing.
      keep: how many to keep, at least 1; with 2 or more there is one to go
        back to when the newest is damaged.
      milestones: steps whose checkpoints are kept besides.

    Raises:
      ValueError: for `keep` below 1.
      CheckpointError: if the folder cannot be made.
    """
    if keep < 1:
      raise ValueError(f"keep must be at least 1, got {keep}.")
    # Orbax wants an absolute path.
    self._directory = pathlib.Path(directory).absolute()
    self._keep = keep
    self._milestones = frozenset(milestones)
    try:
      self._directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
      raise CheckpointError(
        f"Cannot make the checkpoint folder {self._directory}: {error}"
      ) from error

  def steps(self) -> list[int]:
    """The steps there are checkpoints of, oldest first."""
    names = (_NAME.fullmatch(p.name) for p in self._directory.iterdir())
    return sorted(int(name[1]) for name in names if name)

  def path(self, step: int) -> pathlib.Path:
    """Where the checkpoint of a step lies."""
    return self._directory / f"step_{step:010d}"

  def save(
    self,
    state: step_lib.TrainState,
    *,
    pipeline: dict[str, Any] | None = None,
  ) -> None:
    """Writes a checkpoint, then removes those beyond the last few.

    Args:
      state: the training state, one copy of it.
      pipeline: the iterator state to resume with, a dictionary for JSON.

    Raises:
      CheckpointError: if it cannot be written (a full disk, no permission);
        the checkpoints from before are still there.
    """
    failure: Exception | None = None
    if parallel.is_primary():
      try:
        self._write(state, pipeline)
      except _STORAGE_ERRORS as error:
        failure = error
        shutil.rmtree(self._directory / _PARTIAL, ignore_errors=True)
    if parallel.any_process(failure is not None):
      raise CheckpointError(
        f"Cannot write the checkpoint of step {int(state.step)} to "
        f"{self._directory}; free space there or choose another folder. "
        f"Cause: {failure or 'reported by the first process'}"
      ) from failure

  def restore(
    self, target: step_lib.TrainState, *, step: int | None = None
  ) -> Restored | None:
    """The newest checkpoint that is whole, or that of a step.

    When the newest is asked for, a damaged one is passed over with a
    `CorruptCheckpointWarning`.

    Args:
      target: a state with the structure, shapes and types to expect.
      step: a step of `steps()`; None is the newest.

    Returns:
      What was saved, or None in an empty folder.

    Raises:
      CheckpointError: if all are damaged, there is none of the step or it is
        damaged, one fits another structure, or the processes do not see the
        same.
    """
    if step is None:
      step = self._newest_whole()
    else:
      problem = (
        _damage(self.path(step)) if step in self.steps() else "it is missing"
      )
      if problem is not None:
        raise CheckpointError(
          f"The checkpoint {self.path(step)} cannot be used: {problem}."
        )
    if not parallel.all_equal(-1 if step is None else step):
      raise CheckpointError(
        f"The processes find different checkpoints in {self._directory}; "
        "choose a folder that is visible to all."
      )
    return None if step is None else self._read(self.path(step), target)

  def _newest_whole(self) -> int | None:
    """The newest step whose checkpoint is undamaged; None if there is none."""
    steps = self.steps()
    for step in reversed(steps):
      problem = _damage(self.path(step))
      if problem is None:
        return step
      warnings.warn(
        f"The checkpoint {self.path(step)} is damaged ({problem}); using the "
        "one before it.",
        CorruptCheckpointWarning,
        stacklevel=3,
      )
    if steps:
      raise CheckpointError(
        f"All {len(steps)} checkpoints in {self._directory} are damaged; "
        "remove the folder to start afresh."
      )
    return None

  def _write(
    self, state: step_lib.TrainState, pipeline: dict[str, Any] | None
  ) -> None:
    arrays = _named_arrays(state)
    shutil.rmtree(self._directory / _PARTIAL, ignore_errors=True)
    partial = self._directory / _PARTIAL / "checkpoint"
    meta = {"leaves": _describe(arrays), "pipeline": pipeline}
    with _quiet(), _orbax() as orbax:
      orbax.save(
        partial,
        args=ocp.args.Composite(
          **{
            _ARRAYS: ocp.args.StandardSave(arrays),
            _META: ocp.args.JsonSave(meta),
          }
        ),
      )
    (partial / _DIGESTS).write_text(json.dumps(_digests(partial)))
    final = self.path(int(state.step))
    if final.exists():
      # Only a damaged one can be in the way: resuming passed it over.
      shutil.rmtree(final)
    os.replace(partial, final)
    partial.parent.rmdir()
    for step in self.steps()[: -self._keep]:
      if step not in self._milestones:
        shutil.rmtree(self.path(step))

  def _read(self, path: pathlib.Path, target: step_lib.TrainState) -> Restored:
    arrays = _named_arrays(target)
    try:
      with _orbax() as orbax:
        meta = orbax.restore(
          path, args=ocp.args.Composite(**{_META: ocp.args.JsonRestore()})
        )[_META]
        _check_structure(path, meta["leaves"], _describe(arrays))
        arrays = orbax.restore(
          path,
          args=ocp.args.Composite(
            **{_ARRAYS: ocp.args.StandardRestore(arrays)}
          ),
        )[_ARRAYS]
    except _STORAGE_ERRORS as error:
      if isinstance(error, CheckpointError):
        raise
      raise CheckpointError(f"Cannot read {path}: {error}") from error
    return Restored(_from_named(arrays, target), meta["pipeline"])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Keeps orbax from logging the traceback of an error that is raised too."""
  logger = logging.getLogger("absl")
  level = logger.level
  logger.setLevel(logging.CRITICAL)
  try:
    yield
  finally:
    logger.setLevel(level)


def _orbax() -> ocp.Checkpointer:
  """An orbax checkpointer for this process alone."""
  process = jax.process_index()
  options = ocp.options.MultiprocessingOptions(
    primary_host=process,
    active_processes={process},
    barrier_sync_key_prefix=f"process_{process}",
  )
  handler = ocp.CompositeCheckpointHandler(
    composite_options=ocp.CompositeOptions(multiprocessing_options=options),
    **{
      _ARRAYS: ocp.StandardCheckpointHandler(multiprocessing_options=options),
      _META: ocp.JsonCheckpointHandler(multiprocessing_options=options),
    },
  )
  return ocp.Checkpointer(handler, multiprocessing_options=options)


def _named_arrays(tree: types.PyTree) -> dict[str, np.ndarray]:
  """The leaves on the host, by their path; keys as the integers they are."""
  return {
    jax.tree_util.keystr(path): leaves.to_host(leaf)
    for path, leaf in jax.tree.leaves_with_path(tree)
  }


def _from_named(
  arrays: dict[str, np.ndarray], target: step_lib.TrainState
) -> step_lib.TrainState:
  return jax.tree.map_with_path(
    lambda path, like: leaves.from_host(
      arrays[jax.tree_util.keystr(path)], like
    ),
    target,
  )


def _describe(arrays: dict[str, np.ndarray]) -> dict[str, list[Any]]:
  return {
    name: [str(array.dtype), *array.shape] for name, array in arrays.items()
  }


def _check_structure(
  path: pathlib.Path,
  found: dict[str, list[Any]],
  expected: dict[str, list[Any]],
) -> None:
  for name in sorted(found.keys() | expected.keys()):
    if found.get(name) != expected.get(name):
      raise CheckpointError(
        f"{path} is of another model or optimiser: {name} is "
        f"{found.get(name, 'missing')} there and "
        f"{expected.get(name, 'missing')} here. Use the settings it was "
        "trained with, or another folder."
      )


def _digests(path: pathlib.Path) -> dict[str, str]:
  digests = {}
  for file in sorted(p for p in path.rglob("*") if p.is_file()):
    if file != path / _DIGESTS:
      with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
      digests[file.relative_to(path).as_posix()] = digest
  return digests


def _damage(path: pathlib.Path) -> str | None:
  """What is wrong with a checkpoint, in words, or None."""
  try:
    expected = json.loads((path / _DIGESTS).read_bytes())
    found = _digests(path)
  except (OSError, ValueError) as error:
    return str(error)
  if not isinstance(expected, dict):
    return f"{_DIGESTS} holds no digests"
  for name in sorted(found.keys() | expected.keys()):
    if found.get(name) != expected.get(name):
      return f"{name} has changed"
  return None
