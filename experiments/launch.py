"""The body all launchers share: flags, and train, evaluate, export.

  python -m experiments.<dataset> --config=FILE.py[:VARIANT] --workdir=DIR
      [--data_dir=DIR] [--mode=train|evaluate|export] [--config.x.y=VALUE]

`--mode` may be given several times. Training goes on from the newest checkpoint
in the working folder; evaluate and export read it, or with `--trained_in=DIR`
that of another run, so that what was learned on one data set is measured on
another. Several hosts take part with
`--distributed`: under SLURM that is all, elsewhere each process also gets
`--coordinator_address`, `--num_processes` and `--process_id`.
"""

import dataclasses
import functools
import json
import pathlib
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from absl import app, flags, logging
from ml_collections import config_flags

from experiments import (
  build,
  coin,
  evaluation,
  export,
  export_sparse,
  patterns,
  progress,
  test_time,
  training,
  weights,
)
from inrjax import codec, data, train
from inrjax.coords import grid
from inrjax.evaluate import files
from inrjax.meta import method as method_lib
from inrjax.sparsity import gates, pruning
from inrjax.train import parallel

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "The config file, FILE.py or FILE.py:VARIANT."
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "Where checkpoints, logs and results go.", required=True
)
_DATA_DIR = flags.DEFINE_string(
  "data_dir", None, "The data; without it what the config names is used."
)
_MODE = flags.DEFINE_multi_enum(
  "mode", ["train"], ["train", "evaluate", "export"], "What to do, in order."
)
_TRAINED_IN = flags.DEFINE_string(
  "trained_in",
  None,
  "Working folder of the run whose checkpoint is evaluated or exported; by "
  "default --workdir.",
)
_DISTRIBUTED = flags.DEFINE_bool(
  "distributed", False, "Join the other processes of this run."
)
_COORDINATOR = flags.DEFINE_string(
  "coordinator_address", None, "host:port of process 0; not under SLURM."
)
_NUM_PROCESSES = flags.DEFINE_integer(
  "num_processes", None, "How many processes take part; not under SLURM."
)
_PROCESS_ID = flags.DEFINE_integer(
  "process_id", None, "This process's number, from 0; not under SLURM."
)


# All that one launcher knows: the images of "train", "validation" or "test".
# `(split, data_dir, **config.data.source) -> ImageSource`.
Load = Callable[..., data.ImageSource]


class Modes(Protocol):
  """A config in one working folder: what each `--mode` does."""

  def meta_learn(self) -> None:
    """Trains."""

  def measure(self) -> None:
    """Evaluates."""

  def write_model(self) -> None:
    """Exports."""


@dataclasses.dataclass(frozen=True)
class Run:
  """One config in one working folder.

  Attributes:
    config: the config as plain nested mappings.
    workdir: the working folder.
    load: the images of a split, by name.
    trained_in: the working folder whose checkpoints are evaluated and exported;
      None is this run's own.
  """

  config: build.Section
  workdir: pathlib.Path
  load: Callable[[str], data.ImageSource]
  trained_in: pathlib.Path | None = None

  def meta_learn(self) -> None:
    """Meta-learns, from the newest checkpoint if there is one."""
    if "outer" not in self.config:
      print("COIN fits each image on its own; there is nothing to train.")
      return
    method = build.make_method(self.config)
    problem = build.make_problem(self.config, method)
    if "start" in self.config:
      problem = build.with_principal_start(self.config, problem, *self._start())
    training.fit(
      self.config,
      self.workdir,
      problem,
      self._batches(),
      evaluate_fn=self._validation(method),
    )

  def measure(self) -> None:
    """Writes and prints rates and distortions on the test images."""
    images = self._images("test", self.config["evaluate"]["num_images"])
    if "outer" not in self.config:
      record = coin.evaluate_images(self.config, images)
    elif build.adapts_weights(self.config):
      record = self._evaluate_weights(images)
    else:
      record = self._evaluate_method(images)
    record["num_images"] = len(images)
    training.write_record(self.workdir, record)
    if parallel.is_primary():
      for name in ("unquantised", "quantised"):
        print(f"\n{name}\n{evaluation.table(record[name])}", end="")

  def write_model(self) -> None:
    """Writes the model file that `inrjax compress --model` takes."""
    path = self.workdir / "model.inrmodel"
    if "outer" not in self.config:
      if parallel.is_primary():
        coin.write_model(self.config, path)
        print(f"Wrote {path}")
      return
    if "export" not in self.config:
      raise build.ConfigError(
        "There is no codec for this method (no section export in its config); "
        "leave out --mode=export."
      )
    method = build.make_method(self.config)
    outer = self._trained(method, step=build.exported_step(self.config))
    count = self.config["export"]["num_images"]
    images = self._images("train", count)
    if parallel.is_primary():
      if build.adapts_weights(self.config):
        warn_of_nothing_left(method, outer, "In the model to export")
        export_sparse.write_model(self.config, method, outer, images, path)
      else:
        export.write_model(self.config, outer, images, path)
      print(f"Wrote {path}")

  def _evaluate_method(self, images: Sequence[np.ndarray]) -> dict[str, Any]:
    settings = self.config["evaluate"]
    method = build.make_method(self.config)
    outer, kept = evaluation.fix_gates(
      method,
      self._trained(method),
      max_modulations=settings.get("max_modulations"),
    )
    tested = method
    if "gradient" in settings:  # Training saw a part of the points.
      with build.of_config():
        tested = test_time.with_gradient(
          self.config, method, settings["gradient"]
        )
    make_adapter = functools.partial(self._adapter, tested)
    cut = self._cut()
    quantise = dict(settings["quantise"])
    adapter = make_adapter(quantise.pop("num_steps"), quantise.pop("ema_decay"))
    signals = self._signals("train", quantise.pop("num_training_signals"))
    return {
      "num_modulations": int(kept.sum()),
      "num_modulations_wanted": self.config["num_modulations"],
      "unquantised": evaluation.fit_quality(
        make_adapter,
        outer,
        cut,
        images,
        num_steps=settings["num_steps"],
        ema_decays=settings["ema_decays"],
      ),
      "quantised": evaluation.quantised_quality(
        adapter, outer, cut, images, signals, kept, **quantise
      ),
    }

  def _evaluate_weights(self, images: Sequence[np.ndarray]) -> dict[str, Any]:
    method = build.make_method(self.config)
    outers = {
      step: self._trained(method, step=step)
      for step in build.milestones(self.config)
    }
    for step, outer in outers.items():
      warn_of_nothing_left(method, outer, f"At step {step}")
    on_the_way = {}
    if build.make_schedule(self.config) is None:
      # Of one level, measured at its end and with less detail before.
      on_the_way, last = outers, max(outers)
      outers = {last: outers[last]}
    record = weights.evaluate_images(
      self.config, method, outers, images, folder=self.workdir
    )
    if len(on_the_way) > 1:
      folder = self.trained_in or self.workdir
      record["progress"] = progress.describe(
        self.config, method, on_the_way, images, folder=folder
      )
    return record

  def _adapter(
    self,
    method: method_lib.Method,
    num_steps: int,
    ema_decay: float,
  ) -> evaluation.Adapter:
    signal = self.config["signal"]
    return evaluation.Adapter(
      dataclasses.replace(method, num_steps=num_steps, ema_decay=ema_decay),
      build.make_as_context(**signal),
      side=signal["side"],
      channels=signal["channels"],
      signals_per_call=self.config["evaluate"]["signals_per_call"],
      task_tile=self.config["outer"]["task_tile"],
    )

  def _validation(self, method: method_lib.Method) -> Any:
    """PSNR on held-out signals, in training's own number of inner steps.

    Of methods that are tested by inner steps in those of the test, on full
    contexts: it is what all of them can be compared by.
    """
    count = self.config["evaluate"]["num_validation_signals"]
    signals = self._signals("validation", count)
    fit = self.config["evaluate"].get("fit", {})
    if fit.get("kind") == "inner":
      method = test_time.make_method(self.config, method, "full")
    adapter = self._adapter(method, method.num_steps, 1.0)

    def validation(state: train.TrainState) -> dict[str, float]:
      outer = state.params
      decoded = adapter.decode(outer, adapter.fit(outer, signals))
      quality = evaluation.quality(signals, decoded)
      return {f"validation_{name}": x for name, x in quality.items()}

    return validation

  def _trained(
    self, method: method_lib.Method, *, step: int | None = None
  ) -> method_lib.Outer:
    problem = build.make_problem(self.config, method)
    if not self.config["train"]["num_steps"]:
      return problem.state.params  # "Scratch": no meta-learning.
    params: method_lib.Outer = training.trained(
      self.config, self.workdir, problem.state, self.trained_in, step=step
    ).params
    return params

  def _cut(self) -> evaluation.Cut:
    signal = self.config["signal"]
    return evaluation.Cut(signal["side"], signal["tiled"])

  def _batches(self) -> Any:
    signal = self.config["signal"]
    return data.make_pipeline(
      self.load("train"),
      seed=self.config["seed"],
      crop_size=signal["side"] if signal["tiled"] else None,
      shard_index=jax.process_index(),
      shard_count=jax.process_count(),
      **self.config["data"]["pipeline"],
    )

  def _images(self, split: str, count: int | None) -> list[np.ndarray]:
    """The first images of a split; all of them for None."""
    source = self.load(split)
    return [source[i] for i in range(min(len(source), count or len(source)))]

  def _start(self) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates and training signals that the basis begins from."""
    signals = self._signals("train", self.config["start"]["num_signals"])
    signal = self.config["signal"]
    coords = grid.grid(
      (signal["side"], signal["side"]), low=signal["low"], high=signal["high"]
    )
    values = signals.reshape(len(signals), len(coords), signal["channels"])
    return coords, values / np.float32(255)

  def _signals(self, split: str, count: int) -> np.ndarray:
    """Signals `[n <= count, P, P, C]`, spread evenly over a split's images."""
    source, cut = self.load(split), self._cut()
    rng = np.random.default_rng(self.config["seed"])
    wanted = -(-count // len(source))
    chosen = []
    for index in range(min(len(source), count)):
      signals = cut.split(source[index])
      chosen.append(rng.permutation(signals)[:wanted])
    return np.concatenate(chosen)[:count]


def warn_of_nothing_left(
  method: method_lib.Method, outer: method_lib.Outer, when: str
) -> None:
  """Warns of layers, or gates, with nothing left.

  Args:
    method: any method that adapts weights.
    outer: what training learned.
    when: begins the message.
  """
  present = patterns.present(method, outer)
  if method.gates is not None and method.gates.on == "updates":
    is_open = gates.open_gates(outer.log_alpha, method.gates.distribution)
    if not any(np.any(leaf) for leaf in jax.tree.leaves(is_open)):
      warnings.warn(
        f"{when} all gates are closed, so what is behind them does not adapt; "
        "lower lambda (gates.penalty), or raise gates.penalty.target.",
        gates.ClosedGatesWarning,
        stacklevel=3,
      )
    return
  empty = pruning.empty_layers(present)
  if empty:
    warnings.warn(
      f"{when} nothing is left of {', '.join(empty)}; prune less.",
      pruning.EmptyLayerWarning,
      stacklevel=3,
    )


def main(
  load: Callable[..., Any], make_run: Callable[..., Modes] = Run
) -> None:
  """Runs a launcher from the command line.

  Args:
    load: where its images, or other signals, come from.
    make_run: of the arguments of `Run`, what is done with them.
  """
  flags.mark_flag_as_required("config")
  app.run(lambda argv: _main(argv, load, make_run), flags_parser=parse)


class Invocation(NamedTuple):
  """What the command line asks for.

  Attributes:
    config: the config as plain nested mappings.
    workdir: the working folder, the config written into it.
    data_dir: the data's folder, if it was given.
    modes: what to do, in order.
    trained_in: the folder of another run's checkpoints, if it was given.
  """

  config: dict[str, Any]
  workdir: pathlib.Path
  data_dir: pathlib.Path | None
  modes: list[str]
  trained_in: pathlib.Path | None


def set_up(argv: Sequence[str]) -> Invocation:
  """What all launchers do first: logs, other processes, caches, the config.

  Args:
    argv: what is left after the flags.
  """
  if len(argv) > 1:
    raise app.UsageError(f"Not a flag: {argv[1]}")
  if flags.FLAGS.verbosity <= 0:
    logging.set_verbosity(logging.WARNING)  # Orbax is talkative,
    jax.config.update("jax_logging_level", "WARNING")  # and so is JAX.
  if _DISTRIBUTED.value:
    train.initialise_distributed(
      _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
    )
  config = _CONFIG.value.to_dict()
  workdir = pathlib.Path(_WORKDIR.value)
  train.enable_compilation_cache(workdir / "compiled")
  if parallel.is_primary():
    with files.replacing(workdir / evaluation.CONFIG) as path:
      path.write_text(json.dumps(config, indent=2) + "\n")
  data_dir = pathlib.Path(_DATA_DIR.value) if _DATA_DIR.value else None
  trained_in = pathlib.Path(_TRAINED_IN.value) if _TRAINED_IN.value else None
  if trained_in is not None and "train" in _MODE.value:
    raise app.UsageError(
      "--trained_in goes with --mode=evaluate and --mode=export; leave it out, "
      "or leave out --mode=train."
    )
  return Invocation(config, workdir, data_dir, _MODE.value, trained_in)


def _main(
  argv: Sequence[str],
  load: Callable[..., Any],
  make_run: Callable[..., Modes],
) -> None:
  config, workdir, data_dir, chosen, trained_in = set_up(argv)
  run = make_run(
    config,
    workdir,
    functools.partial(load, data_dir=data_dir, **config["data"]["source"]),
    trained_in,
  )
  modes = {
    "train": run.meta_learn,
    "evaluate": run.measure,
    "export": run.write_model,
  }
  try:
    for mode in chosen:
      modes[mode]()
  except (
    build.ConfigError,
    codec.CodecError,
    data.ImageError,
    data.VideoError,
    train.CheckpointError,
    ImportError,
  ) as error:
    raise SystemExit(f"{type(error).__name__}: {error}") from error


def parse(argv: list[str]) -> list[str]:
  """Parses flags; what is wrong with them is one line, not a traceback."""
  try:
    return flags.FLAGS(argv)
  except AttributeError as error:
    name = str(error).strip("\"'")
    problem = f"the config has no setting {name}"
  except (flags.Error, OSError, TypeError, ValueError) as error:
    problem = str(error).strip().splitlines()[-1].strip()
  print(f"{pathlib.Path(argv[0]).name}: {problem}", file=sys.stderr)
  raise SystemExit(2)
