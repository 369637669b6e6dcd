"""The phases of a classifier's training, each with checkpoints of its own."""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import optax

from experiments import build, classifier_pruning, classifiers, resize
from inrjax import data, train
from inrjax.networks import blocks
from inrjax.train import parallel

_AUGMENTATIONS = {
  "pad_crop": data.PadCrop(),
  "flip": data.flip,
  "transpose": data.transpose,
}


@dataclasses.dataclass(frozen=True)
class Phases:
  """One config in one working folder.

  Attributes:
    config: the config as plain nested mappings.
    workdir: the working folder.
    load: the examples of a split, by name.
    may_train: whether phases that are not finished are trained; else they are
      an error.
  """

  config: build.Section
  workdir: pathlib.Path
  load: Callable[[str], data.Labelled]
  may_train: bool = True

  def phase(
    self,
    name: str,
    model: classifiers.Model,
    *,
    num_steps: int,
    start: train.TrainState | None = None,
    term: classifiers.Term = classifiers.plain,
    optimizer: optax.GradientTransformation | None = None,
    batch_size: int | None = None,
  ) -> train.TrainState:
    """Trains, or reads what was trained before.

    Args:
      name: of the phase and its folder.
      model: the network at its start.
      num_steps: the step to end at.
      start: a state to go on from; by default that of the model at step 0.
      term: what is minimised.
      optimizer: by default that of section `optimizer`.
      batch_size: by default that of section `data.batches`.
    """
    optimizer = optimizer or self.optimizer
    if start is None:
      carry = classifiers.Carry(model.state, model.masks)
      start = train.init_state(
        jax.random.fold_in(self.key, 0), model.params, optimizer, carry=carry
      )
    if int(start.step) >= num_steps:
      return start
    settings = dict(self.config["train"])
    del settings["num_epochs"]  # `num_steps` says it.
    folder = self.workdir / name
    checkpointer = train.Checkpointer(
      folder / "checkpoints",
      keep=settings.pop("keep_checkpoints"),
    )
    settings["on_nonfinite"] = build.on_nonfinite(settings["on_nonfinite"])
    restored = checkpointer.restore(start)
    if restored is not None and int(restored.state.step) == num_steps:
      return restored.state
    self.check_may_train(name)
    make_step = (
      parallel.make_parallel_step
      if jax.device_count() > 1
      else parallel.make_single_step
    )
    step_fn, placement = make_step(
      classifiers.make_objective(model.apply, self.normalise, term), optimizer
    )
    batches = self.batches(batch_size)
    batches.set_state({"next": int(start.step)})
    state = train.train(
      start,
      step_fn,
      batches,
      num_steps=num_steps,
      placement=placement,
      checkpointer=checkpointer,
      loggers=_loggers(folder, num_steps),
      evaluate_fn=self._validation(model),
      **settings,
    )
    if int(state.step) < num_steps:
      raise SystemExit(
        f"Stopped at step {int(state.step)} of {num_steps} of phase {name!r}"
        " and saved; the same command goes on from there."
      )
    return state

  def check_may_train(self, name: str) -> None:
    """Raises SystemExit where a part would have to be trained, and must not."""
    if not self.may_train:
      raise SystemExit(
        f"{name!r} is not finished in {self.workdir}; train first, with"
        " --mode=train and the same --config and --workdir."
      )

  @functools.cached_property
  def network(self) -> blocks.Stateful:
    """The network, not yet initialised."""
    return classifiers.make_network(self.config["network"])

  @functools.cached_property
  def source(self) -> data.Labelled:
    """The training examples, of one shape."""
    source = self._of_one_shape(self.load("train"))
    if source.num_classes != self.config["network"]["num_classes"]:
      raise ValueError(
        f"The data have {source.num_classes} classes, the network"
        f" {self.config['network']['num_classes']}; set network.num_classes."
      )
    return source

  @functools.cached_property
  def image(self) -> jax.Array:
    """`[1, H, W, C]` of zeros."""
    return classifier_pruning.one_image(self.source)

  @functools.cached_property
  def key(self) -> jax.Array:
    """The run's random key."""
    return jax.random.key(self.config["seed"])

  @functools.cached_property
  def normalise(self) -> data.Normalization:
    """Of the data set's images."""
    name = self.config["data"]["normalization"]
    return build.choose(data.NORMALIZATIONS, name, "data.normalization")

  @functools.cached_property
  def optimizer(self) -> optax.GradientTransformation:
    """Of section `optimizer`."""
    return classifiers.make_optimizer(
      self.config["optimizer"],
      steps_per_epoch=self.steps_per_epoch,
      num_steps=self.num_steps,
    )

  @property
  def augment(self) -> tuple[Any, ...]:
    """Changes to training images, in order."""
    names = self.config["data"]["augment"]
    return tuple(build.choose(_AUGMENTATIONS, n, "data.augment") for n in names)

  @property
  def steps_per_epoch(self) -> int:
    """Whole batches of an epoch."""
    size = self.config["data"]["batches"]["batch_size"]
    return max(len(self.source) // size, 1)

  @property
  def num_steps(self) -> int:
    """Of a full training."""
    epochs = self.config["train"]["num_epochs"]
    return math.ceil(epochs * self.steps_per_epoch)

  def batches(self, batch_size: int | None = None) -> data.LabelledBatches:
    """Shuffled, augmented batches of the training examples.

    Args:
      batch_size: by default that of section `data.batches`.
    """
    settings = dict(self.config["data"]["batches"])
    settings["batch_size"] = batch_size or settings["batch_size"]
    crop, source = None, self.source
    if "crop" in self.config["data"]:
      own = dict(self.config["data"]["crop"])
      del own["resize_to"]
      crop, source = data.RandomResizedCrop(**own), self.load("train")
    return data.LabelledBatches(
      source,
      seed=self.config["seed"],
      crop=crop,
      augment=self.augment,
      shard_index=jax.process_index(),
      shard_count=jax.process_count(),
      **settings,
    )

  def _of_one_shape(self, source: data.Labelled) -> data.Labelled:
    """The square in the middle of every image, where training has crops."""
    if "crop" not in self.config["data"]:
      return source
    settings = self.config["data"]["crop"]
    size = settings["resize_to"]
    resized = resize.Resized(source.images, (size, size))
    return dataclasses.replace(
      source, images=data.CentreCrop(resized, settings["side"])
    )

  def first(self, split: str, count: int | None) -> data.Labelled:
    """The first examples of a split; all of them for None."""
    source = self.load(split)
    if not len(source):
      raise build.ConfigError(
        f"The split {split!r} has no examples; set data.source.held_out."
      )
    source = self._of_one_shape(source)
    return source.subset(range(min(len(source), count or len(source))))

  def _validation(
    self, model: classifiers.Model
  ) -> Callable[[train.TrainState], dict[str, float]] | None:
    settings = self.config["evaluate"]
    if not settings["num_validation_images"]:
      return None
    held_out = self.first("validation", settings["num_validation_images"])

    @jax.jit
    def predict(params: Any, carry: classifiers.Carry, images: Any) -> Any:
      weights = classifiers.masked(params, carry.masks)
      images = self.normalise(images)
      return model.apply(weights, carry.state, images, False)[0]

    def validation(state: train.TrainState) -> dict[str, float]:
      scored = classifiers.score(
        functools.partial(predict, state.params, state.carry),
        held_out,
        batch_size=settings["batch_size"],
      )
      return {
        "validation_accuracy": scored.accuracy,
        "validation_loss": scored.loss,
      }

    return validation


def _loggers(folder: pathlib.Path, num_steps: int) -> list[train.Logger]:
  if not parallel.is_primary():
    return []
  metrics = ("loss", "accuracy", "validation_accuracy")
  return [
    train.JsonLinesLogger(folder / "log.jsonl"),
    train.ProgressLogger(num_steps, metrics=metrics),
  ]
