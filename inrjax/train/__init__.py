"""Outer training: the step, devices, the loop, checkpoints and logs."""

from inrjax.train.cache import enable_compilation_cache
from inrjax.train.checkpoint import (
  Checkpointer,
  CheckpointError,
  CorruptCheckpointWarning,
  Restored,
)
from inrjax.train.logging import (
  JsonLinesLogger,
  Logger,
  ProgressLogger,
  TensorboardLogger,
)
from inrjax.train.loop import (
  Batches,
  NonFiniteError,
  OnNonFinite,
  RestoredWarning,
  RestoreLastGood,
  stop,
  train,
)
from inrjax.train.optimizer import make_optimizer, scale_by_label
from inrjax.train.parallel import (
  Placement,
  initialise_distributed,
  make_parallel_step,
  make_single_step,
)
from inrjax.train.step import (
  Objective,
  StepFn,
  TrainState,
  init_state,
  make_train_step,
)

__all__ = [
  "Batches",
  "CheckpointError",
  "Checkpointer",
  "CorruptCheckpointWarning",
  "JsonLinesLogger",
  "Logger",
  "NonFiniteError",
  "Objective",
  "OnNonFinite",
  "Placement",
  "ProgressLogger",
  "RestoreLastGood",
  "Restored",
  "RestoredWarning",
  "StepFn",
  "TensorboardLogger",
  "TrainState",
  "enable_compilation_cache",
  "init_state",
  "initialise_distributed",
  "make_optimizer",
  "make_parallel_step",
  "make_single_step",
  "make_train_step",
  "scale_by_label",
  "stop",
  "train",
]
