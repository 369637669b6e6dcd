"""Trains a classifier that is pruned or quantised: the body of its launchers.

  python -m experiments.<launcher> --config=FILE.py[:VARIANT] --workdir=DIR
      [--data_dir=DIR] [--mode=train|evaluate] [--config.x.y=VALUE]

A run is a chain of phases, each an ordinary training with checkpoints of its
own: one after pruning at initialisation; a dense one and one for each round
after it for magnitude pruning and winning tickets; a plain one, its regularised
end and fine-tuning on a grid for quantisation. The same command goes on in the
phase where it stopped.
"""

import dataclasses
import functools
import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import app, flags

from experiments import (
  build,
  classifier_grids,
  classifier_phases,
  classifier_pruning,
  classifiers,
  evaluation,
  launch,
)
from inrjax import data, train
from inrjax.evaluate import files
from inrjax.sparsity import masks as masks_lib
from inrjax.sparsity import prospr, structures
from inrjax.train import parallel

# All that one launcher knows: the examples of "train", "validation" or "test".
# `(split, data_dir, **config.data.source) -> Labelled`.
Load = Callable[..., data.Labelled]


class Finished(NamedTuple):
  """What a run ends with.

  Attributes:
    model: trained.
    whole: size before pruning.
    kept: masks of the last pruning, by name; empty without.
    grids: that it was fine-tuned on; None without.
  """

  model: classifiers.Model
  whole: classifier_pruning.Counts
  kept: dict[str, Any]
  grids: classifier_grids.Grids | None


@dataclasses.dataclass(frozen=True)
class Run:
  """What a config asks for, phase after phase.

  Attributes:
    phases: trains, or reads what was trained.
  """

  phases: classifier_phases.Phases

  @functools.cached_property
  def finished(self) -> Finished:
    """Goes through all phases, once; finished ones are read, not trained.

    Raises:
      SystemExit: if a phase is not finished and must not be trained.
    """
    phases = self.phases
    # As one program: operation by operation it would be compiled for long.
    params, state = jax.jit(phases.network.init)(phases.key, phases.image)
    model = classifiers.Model(phases.network.apply, params, state)
    whole = classifier_pruning.counts(model, phases.image)
    kept: dict[str, Any] = {}
    grids = None
    if "prune" in phases.config:
      model, kept = self._pruned(model)
    if "quantize" in phases.config:
      model, grids = self._robust(model)
    return Finished(model, whole, kept, grids)

  def prune(
    self, model: classifiers.Model
  ) -> tuple[classifiers.Model, dict[str, Any]]:
    """A model pruned as it is by section `prune`, not trained; its masks."""
    structure = self._structure(model)
    kept = self._kept(1, model, structure)
    return self._cut(model, structure, kept), kept

  def measure(self) -> dict[str, Any]:
    """Writes and returns accuracy, size and what grids of bits leave of it."""
    phases, done = self.phases, self.finished
    settings = phases.config["evaluate"]
    test = phases.first(settings["split"], settings["num_images"])
    model = done.model._replace(
      params=classifiers.masked(done.model.params, done.model.masks)
    )
    predict = classifiers.make_predict(model, phases.normalise)
    scored = classifiers.score(
      functools.partial(predict, model.params),
      test,
      batch_size=settings["batch_size"],
    )
    left = classifier_pruning.counts(done.model, phases.image)
    record: dict[str, Any] = {
      "accuracy": scored.accuracy,
      "loss": scored.loss,
      "split": settings["split"],
      "num_images": len(test),
      "parameters": done.whole.parameters,
      "parameters_left": left.parameters,
      "flops": done.whole.flops,
      "flops_left": left.flops,
      "sparsity": masks_lib.sparsity_of(done.kept) if done.kept else 0.0,
      "layers": {n: float(np.mean(m)) for n, m in done.kept.items()},
      **classifiers.further_scores(scored, test),
    }
    if "quantize" in phases.config:
      record["grids"] = classifier_grids.evaluate(
        phases.config["quantize"],
        model,
        phases.normalise,
        phases.source,
        test,
        batch_size=settings["batch_size"],
        trained=done.grids,
      )
    if parallel.is_primary():
      with files.replacing(phases.workdir / evaluation.RESULTS) as path:
        path.write_text(json.dumps(record, indent=2) + "\n")
    return record

  def _pruned(
    self, model: classifiers.Model
  ) -> tuple[classifiers.Model, dict[str, Any]]:
    """The trained, pruned model of section `prune`, and its masks."""
    settings = self.phases.config["prune"]
    whens = {
      "never": lambda: (self._after(model, "dense"), {}),
      "initialisation": lambda: self._pruned_at_start(model),
      "trained": lambda: self._pruned_in_rounds(model),
      "rewound": lambda: self._pruned_in_rounds(model),
    }
    if settings["num_rounds"] > 1 and settings["structure"] == "channels":
      raise ValueError(
        "prune.num_rounds must be 1 for channels: a smaller network has other"
        " masks."
      )
    if settings["when"] != "never":
      # Refused before a dense phase that may take hours.
      classifier_pruning.stage_sparsity(settings["sparsity"], 1, 1)
    found: tuple[classifiers.Model, dict[str, Any]] = build.choose(
      whens, settings["when"], "prune.when"
    )()
    return found

  def _after(
    self, model: classifiers.Model, name: str, **settings: Any
  ) -> classifiers.Model:
    """The model after a phase of full length."""
    steps = self.phases.num_steps
    state = self.phases.phase(name, model, num_steps=steps, **settings)
    return _trained(model, state)

  def _pruned_at_start(
    self, model: classifiers.Model
  ) -> tuple[classifiers.Model, dict[str, Any]]:
    pruned, kept = self.prune(model)
    return self._after(pruned, "pruned"), kept

  def _pruned_in_rounds(
    self, model: classifiers.Model
  ) -> tuple[classifiers.Model, dict[str, Any]]:
    """Trains, prunes, and trains again, from the end or from an early step.

    From the end, the whole schedule of the learning rate is repeated (Renda et
    al., 2020); from an early step, weights and optimiser go back to it (LTR).
    The momentum of channels is not kept: their schedule begins anew.
    """
    phases = self.phases
    settings = phases.config["prune"]
    structure = self._structure(model)
    rewind = round(settings["rewind_epoch"] * phases.steps_per_epoch)
    early = phases.phase("early", model, num_steps=rewind)
    ranked = self._after(model, "dense", start=early)
    kept: dict[str, Any] = {}
    for stage in range(1, settings["num_rounds"] + 1):
      kept = self._kept(stage, ranked, structure)
      begin, start = ranked, None
      if settings["when"] == "rewound":
        begin = _trained(model, early)
      pruned = self._cut(begin, structure, kept)
      if settings["when"] == "rewound" and settings["structure"] == "weights":
        start = early._replace(
          carry=classifiers.Carry(pruned.state, pruned.masks)
        )
      ranked = self._after(pruned, f"round_{stage}", start=start)
    return ranked, kept

  def _structure(self, model: classifiers.Model) -> structures.Structure:
    kind = self.phases.config["prune"]["structure"]
    return classifier_pruning.make_structure(kind, model, self.phases.image)

  def _cut(
    self,
    model: classifiers.Model,
    structure: structures.Structure,
    kept: dict[str, Any],
  ) -> classifiers.Model:
    phases = self.phases
    return classifier_pruning.apply_masks(
      model,
      structure,
      kept,
      phases.image,
      reset=phases.config["prune"]["reset"],
      init=phases.network.init,
      key=jax.random.fold_in(phases.key, 1),
    )

  def _kept(
    self, stage: int, model: classifiers.Model, structure: structures.Structure
  ) -> dict[str, Any]:
    """Masks of a round: drawn once, then read, so that a run can go on."""
    phases = self.phases
    path = phases.workdir / f"masks_{stage}.npz"
    if path.exists():
      with np.load(path, allow_pickle=False) as archive:
        return {n: archive[n].astype(np.float32) for n in archive.files}
    phases.check_may_train(path.stem)
    settings = phases.config["prune"]
    kept = classifier_pruning.choose_masks(
      self._scores(stage, model, structure),
      model,
      structure,
      phases.image,
      sparsity=classifier_pruning.stage_sparsity(
        settings["sparsity"], stage, settings["num_rounds"]
      ),
      measure=settings["measure"],
      min_kept=settings["min_kept"],
    )
    found = {name: np.asarray(mask) for name, mask in kept.items()}
    if parallel.is_primary():
      with files.replacing(path) as place, open(place, "wb") as stream:
        packed: Any = {name: mask != 0 for name, mask in found.items()}
        np.savez_compressed(stream, allow_pickle=False, **packed)
    return found

  def _scores(
    self, stage: int, model: classifiers.Model, structure: structures.Structure
  ) -> structures.Masks:
    """Scores of class-balanced batches, or of ones drawn as in training."""
    phases = self.phases
    settings = phases.config["prune"]
    seed = phases.config["seed"] + stage
    batch_size = settings["batch_size"]
    draw: Callable[[int], Iterator[data.LabelledBatch]]
    if batch_size is None:
      draw = functools.partial(
        classifier_pruning.balanced,
        phases.source,
        per_class=settings["per_class"],
        seed=seed,
        augment=phases.augment,
      )
    elif settings["saliency"]["kind"] == classifier_pruning.FIRST_ORDER:
      return self._scores_after_steps(stage, model, structure)
    else:
      draw = functools.partial(itertools.islice, phases.batches(batch_size))
    return classifier_pruning.score_entries(
      settings,
      model,
      structure,
      phases.image,
      normalise=phases.normalise,
      draw=draw,
      seed=seed,
    )

  def _scores_after_steps(
    self, stage: int, model: classifiers.Model, structure: structures.Structure
  ) -> structures.Masks:
    """First-order ProsPr, whose steps are a phase of their own (3.3.2)."""
    phases = self.phases
    settings = phases.config["prune"]
    inner = settings["saliency"]
    if inner["repeats"] != 1 or inner["cost_smoothing"] is not None:
      raise ValueError(
        "First-order ProsPr over batches of training is neither repeated nor"
        " aware of costs: set prune.saliency.repeats to 1 and cost_smoothing"
        " to None, or prune.batch_size to None."
      )
    num_steps = inner["num_steps"]
    state = phases.phase(
      f"inner_{stage}",
      model,
      num_steps=num_steps,
      optimizer=classifier_pruning.inner_optimizer(
        inner["learning_rate"], inner["momentum"]
      ),
      batch_size=settings["batch_size"],
    )
    batches = phases.batches(settings["batch_size"])
    batches.set_state({"next": num_steps})
    loss_fn = classifier_pruning.loss_of(settings, model, phases.normalise)
    score = jax.jit(
      lambda initial, trained, batch: prospr.trained_saliency(
        loss_fn, initial, trained, batch, structure
      )
    )
    masks = model.masks
    initial, trained = (
      classifiers.masked(params, masks)
      for params in (model.params, state.params)
    )
    found: structures.Masks = score(initial, trained, next(batches))
    return found

  def _robust(
    self, model: classifiers.Model
  ) -> tuple[classifiers.Model, classifier_grids.Grids | None]:
    """The trained model of section `quantize`, and the grids it was tuned on.

    A regulariser joins at the end only (4.3.1).
    """
    phases = self.phases
    settings, steps = phases.config["quantize"], phases.num_steps
    regularizer = dict(settings["regularizer"])
    last = math.ceil(regularizer.pop("num_epochs") * phases.steps_per_epoch)
    term = classifiers.make_term(**regularizer)
    start = None
    if term is not classifiers.plain:
      first = max(steps - last, 0)
      start = phases.phase("plain", model, num_steps=first)
    model = self._after(model, "trained", start=start, term=term)
    tuning = settings["fine_tune"]
    if not tuning["num_epochs"]:
      return model, None
    ranges = classifier_grids.activation_ranges(
      settings["ranges"], model, phases.normalise, phases.source
    )
    bits = (tuning["weight_bits"], tuning["activation_bits"])
    grids = classifier_grids.make_grids(settings, model.params, ranges, bits)
    steps = math.ceil(tuning["num_epochs"] * phases.steps_per_epoch)
    state = phases.phase(
      "fine_tune",
      model,
      num_steps=steps,
      term=classifiers.rounded_term(*grids),
      optimizer=classifiers.make_optimizer(
        tuning["optimizer"],
        steps_per_epoch=phases.steps_per_epoch,
        num_steps=steps,
      ),
    )
    return _trained(model, state), grids


def _trained(
  model: classifiers.Model, state: train.TrainState
) -> classifiers.Model:
  return model._replace(params=state.params, state=state.carry.state)


# What a launcher does with phases and the modes it is asked for.
Finish = Callable[[classifier_phases.Phases, Sequence[str]], None]


def train_and_measure(
  phases: classifier_phases.Phases, modes: Sequence[str]
) -> None:
  """Goes through a config's phases, and prints what came of them."""
  run = Run(phases)
  whole = run.finished.whole
  if "evaluate" in modes:
    print(json.dumps(run.measure(), indent=2))
  else:
    print(f"Trained, of {whole.parameters:,} parameters before pruning.")


def main(load: Load, finish: Finish = train_and_measure) -> None:
  """Runs a launcher from the command line.

  Args:
    load: where its examples come from.
    finish: what is done with them.
  """
  flags.mark_flag_as_required("config")
  app.run(lambda argv: _main(argv, load, finish), flags_parser=launch.parse)


def _main(
  argv: Sequence[str], load: Load, finish: Finish = train_and_measure
) -> None:
  if flags.FLAGS.distributed:
    raise app.UsageError(
      "Classifiers are trained on one host: --distributed is for the other "
      "launchers."
    )
  if "export" in flags.FLAGS.mode:
    raise app.UsageError("A classifier has no model file to export.")
  if flags.FLAGS.trained_in:
    raise app.UsageError("--trained_in is not for classifiers; leave it out.")
  config, workdir, data_dir, modes, _ = launch.set_up(argv)
  load_split = functools.partial(
    load, data_dir=data_dir, **config["data"]["source"]
  )
  phases = classifier_phases.Phases(
    config,
    workdir,
    functools.lru_cache(load_split),
    may_train="train" in modes,
  )
  try:
    finish(phases, modes)
  except (
    build.ConfigError,
    data.ImageError,
    train.CheckpointError,
    ImportError,
  ) as error:
    raise SystemExit(f"{type(error).__name__}: {error}") from error
