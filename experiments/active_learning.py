"""Active learning: labels are asked for where the network is least sure (A.3).

  python -m experiments.active_learning --config=FILE.py[:VARIANT] --workdir=DIR
      [--data_dir=DIR] [--mode=train|evaluate] [--config.x.y=VALUE]

The network is pruned once, with the first labels, and then trained, shown the
rest of the pool, given the labels of the most informative examples, and trained
again from where it is, until the time is over (3.4.1 and A.3 of Alizadeh's
thesis; figures 3.7 and A.1). A smaller network gets further in the same time.
The same command goes on with the round that was not finished.
"""

import dataclasses
import functools
import json
import pathlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments import (
  build,
  cifar10_pruning,
  classifier_phases,
  classifier_pruning,
  classifiers,
  classify,
  evaluation,
  fashion_mnist_pruning,
)
from inrjax import data
from inrjax.evaluate import files
from inrjax.sparsity import masks as masks_lib
from inrjax.types import Array

_LOADS: Mapping[str, classify.Load] = {
  "cifar10": cifar10_pruning.load,
  "fashion_mnist": fashion_mnist_pruning.load,
}
_ROUNDS = "rounds.json"


class Round(NamedTuple):
  """One training.

  Attributes:
    num_labelled: examples that it saw.
    seconds: since the network was pruned, without tests; compilation counts.
    accuracy: on the test images.
    loss: likewise, in nats.
    acquired: indices of the examples whose labels were asked for after it.
  """

  num_labelled: int
  seconds: float
  accuracy: float
  loss: float
  acquired: list[int]


def entropy(logits: Array) -> np.ndarray:
  """-sum_i p_i log p_i of each prediction, in nats: `[n, K] -> [n]`."""
  logs = jax.nn.log_softmax(logits)
  return -np.asarray(jax.numpy.sum(jax.numpy.exp(logs) * logs, -1))


def chance(logits: Array) -> np.ndarray:
  """As if nothing were known, `[n, K] -> [n]`: a reference."""
  return np.random.default_rng(len(logits)).random(len(logits))


_ACQUISITIONS: Mapping[str, Callable[[Array], np.ndarray]] = {
  "entropy": entropy,
  "chance": chance,
}


@dataclasses.dataclass(frozen=True)
class Learner:
  """Active learning in one working folder.

  Attributes:
    phases: of the whole pool of training examples.
  """

  phases: classifier_phases.Phases

  @functools.cached_property
  def first(self) -> list[int]:
    """As many examples of every class, in the order of their indices."""
    labels = self.phases.source.labels
    rng = np.random.default_rng(self.phases.config["seed"])
    count = self.phases.config["active"]["initial_per_class"]
    chosen: list[int] = []
    for c in range(self.phases.source.num_classes):
      members = np.flatnonzero(labels == c)
      if not 0 < count <= len(members):
        raise ValueError(
          f"active.initial_per_class is {count}, and class {c} has"
          f" {len(members)} examples."
        )
      chosen += rng.permutation(members)[:count].tolist()
    return sorted(chosen)

  @functools.cached_property
  def start(self) -> tuple[classifiers.Model, dict[str, Any]]:
    """The network, pruned with the first examples, and its masks."""
    phases = self._with_labels(self.first, "start")
    params, state = jax.jit(phases.network.init)(phases.key, phases.image)
    model = classifiers.Model(phases.network.apply, params, state)
    if phases.config["prune"]["when"] == "never":
      return model, {}
    return classify.Run(phases).prune(model)

  def rounds(self) -> list[Round]:
    """Learns until the time, the rounds or the pool is used up.

    Raises:
      SystemExit: if that is not finished and must not be trained.
    """
    active = self.phases.config["active"]
    model, _ = self.start
    done = self._read()
    labelled = list(self.first)
    for i, one in enumerate(done):
      if i == len(done) - 1:
        model = self._trained(i, model, labelled)
      labelled += one.acquired
    while self._goes_on(done, active):
      self.phases.check_may_train(f"round_{len(done)}")
      # What is left of a round that was stopped would falsify its time.
      shutil.rmtree(self._folder(len(done)), ignore_errors=True)
      begin = time.perf_counter()
      model = self._trained(len(done), model, labelled)
      acquired = self._acquired(model, labelled, active)
      seconds = time.perf_counter() - begin
      scored = self._tested(model)
      done.append(
        Round(
          len(labelled),
          seconds + (done[-1].seconds if done else 0.0),
          scored.accuracy,
          scored.loss,
          acquired,
        )
      )
      self._write(done)
      labelled += acquired
    return done

  def measure(self) -> dict[str, Any]:
    """Writes and returns the rounds, and the size of the network."""
    rounds = self.rounds()
    phases = self.phases
    model, kept = self.start
    params, state = jax.eval_shape(
      phases.network.init, phases.key, phases.image
    )
    whole = classifier_pruning.counts(
      classifiers.Model(phases.network.apply, params, state), phases.image
    )
    left = classifier_pruning.counts(model, phases.image)
    record = {
      "accuracy": rounds[-1].accuracy,
      "loss": rounds[-1].loss,
      "num_labelled": rounds[-1].num_labelled,
      "parameters": whole.parameters,
      "parameters_left": left.parameters,
      "flops": whole.flops,
      "flops_left": left.flops,
      "sparsity": masks_lib.sparsity_of(kept) if kept else 0.0,
      "rounds": [one._asdict() for one in rounds],
    }
    with files.replacing(phases.workdir / evaluation.RESULTS) as path:
      path.write_text(json.dumps(record, indent=2) + "\n")
    return record

  def _goes_on(self, done: Sequence[Round], active: build.Section) -> bool:
    if not done:
      return True
    budget = active["seconds"]
    in_time = budget is None or done[-1].seconds < budget
    return (
      in_time and len(done) < active["num_rounds"] and bool(done[-1].acquired)
    )

  def _folder(self, index: int) -> pathlib.Path:
    return self.phases.workdir / f"round_{index}"

  def _with_labels(
    self, labelled: Sequence[int], name: str
  ) -> classifier_phases.Phases:
    """Phases that train on some of the examples."""
    load = self.phases.load
    subset = load("train").subset(list(labelled))
    return dataclasses.replace(
      self.phases,
      workdir=self.phases.workdir / name,
      load=lambda split: subset if split == "train" else load(split),
    )

  def _trained(
    self, index: int, model: classifiers.Model, labelled: Sequence[int]
  ) -> classifiers.Model:
    """The model after a whole schedule on these examples."""
    phases = self._with_labels(labelled, f"round_{index}")
    state = phases.phase("train", model, num_steps=phases.num_steps)
    return model._replace(params=state.params, state=state.carry.state)

  def _predict(self, model: classifiers.Model) -> Callable[[Array], Array]:
    predict = classifiers.make_predict(model, self.phases.normalise)
    params = classifiers.masked(model.params, model.masks)
    return functools.partial(predict, params)

  def _acquired(
    self,
    model: classifiers.Model,
    labelled: Sequence[int],
    active: build.Section,
  ) -> list[int]:
    """The most informative of the examples without a label."""
    pool = np.setdiff1d(np.arange(len(self.phases.source)), labelled)
    if not pool.size:
      return []
    scored = classifiers.score(
      self._predict(model),
      self.phases.source.subset(pool),
      batch_size=self.phases.config["evaluate"]["batch_size"],
    )
    informative = build.choose(
      _ACQUISITIONS, active["acquisition"], "active.acquisition"
    )(scored.logits)
    order = np.argsort(-informative, kind="stable")
    return [int(i) for i in pool[order[: active["num_acquired"]]]]

  def _tested(self, model: classifiers.Model) -> classifiers.Scored:
    settings = self.phases.config["evaluate"]
    return classifiers.score(
      self._predict(model),
      self.phases.first(settings["split"], settings["num_images"]),
      batch_size=settings["batch_size"],
    )

  def _read(self) -> list[Round]:
    path = self.phases.workdir / _ROUNDS
    if not path.exists():
      return []
    return [Round(**one) for one in json.loads(path.read_text())]

  def _write(self, done: Sequence[Round]) -> None:
    with files.replacing(self.phases.workdir / _ROUNDS) as path:
      path.write_text(json.dumps([one._asdict() for one in done]) + "\n")
    # Only the newest weights are gone on from.
    if len(done) > 1:
      shutil.rmtree(self._folder(len(done) - 2), ignore_errors=True)


def load(
  split: str, data_dir: pathlib.Path | None, *, dataset: str, **source: Any
) -> data.Labelled:
  """Examples of a split of the data set of that name.

  Args:
    split: "train", "validation" or "test".
    data_dir: as the data set's own launcher takes it.
    dataset: "cifar10" or "fashion_mnist".
    **source: what its own launcher takes.
  """
  own = build.choose(_LOADS, dataset, "data.source.dataset")
  found: data.Labelled = own(split, data_dir, **source)
  return found


def _finish(phases: classifier_phases.Phases, modes: Sequence[str]) -> None:
  learner = Learner(phases)
  if "evaluate" in modes:
    record = learner.measure()
    del record["rounds"]
    print(json.dumps(record, indent=2))
  else:
    print(f"Learned in {len(learner.rounds())} rounds.")


if __name__ == "__main__":
  classify.main(load, _finish)
