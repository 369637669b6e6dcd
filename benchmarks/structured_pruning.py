"""What removed channels save: a training step, and predicting one image.

Channels are removed by 3SP's scores until a part of the parameters, or of the
operations of a prediction, is gone, and the network is made really smaller. It
is measured against the unpruned one; what is left of both is printed beside.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from benchmarks import classifier, turns
from experiments import classifier_pruning, classifiers
from inrjax import sparsity
from inrjax.sparsity import batches as batches_lib
from inrjax.sparsity import graph, shrink
from inrjax.types import Array

UNPRUNED = "unpruned"
# Relative, of logits: the pruned channels' zeros are added in another order.
TOLERANCE = 1e-3


class Pruned(NamedTuple):
  """A network, smaller than it was.

  Attributes:
    model: the network.
    left_parameters: part of the parameters that is left.
    left_flops: part of the operations of a prediction that is left.
  """

  model: classifiers.Model
  left_parameters: float
  left_flops: float


def prune(
  case: classifier.Case, parts: Sequence[float], *, measure: str
) -> dict[str, Pruned]:
  """The network, and smaller ones by name.

  Args:
    case: the sizes.
    parts: what is removed, each in (0, 1).
    measure: of "parameters", "flops", or "entries": the channels.

  Raises:
    RuntimeError: if a smaller network computes something else than the masked
      one.
  """
  model = classifier.make_model(case)
  image = jnp.zeros((1, case.side, case.side, 3))
  structure = graph.trace(model.apply, model.params, model.state, image, True)
  batch = classifier.batches(case)
  loss_fn = classifier.loss_fn(model)
  scores = jax.jit(
    lambda params, batch: sparsity.SNIP()(
      jax.random.key(0), loss_fn, params, batches_lib.stack(batch), structure
    )
  )(model.params, batch)
  found = {UNPRUNED: Pruned(model, 1.0, 1.0)}
  whole = classifier_pruning.counts(model, image)
  images = classifier.NORMALISE(batch.images)
  for part in parts:
    kept = classifier_pruning.choose_masks(
      scores,
      model,
      structure,
      image,
      sparsity=part,
      measure=measure,
      min_kept=1,
    )
    small = classifier_pruning.apply_masks(model, structure, kept, image)
    masked = shrink.mask_params(structure, kept, model.params)
    classifier.check_same(
      jax.jit(small.apply, static_argnums=3)(
        small.params, small.state, images, True
      )[0],
      jax.jit(model.apply, static_argnums=3)(masked, model.state, images, True)[
        0
      ],
      tolerance=TOLERANCE,
    )
    left = classifier_pruning.counts(small, image)
    found[f"{part:.0%} of {measure} removed"] = Pruned(
      small, left.parameters / whole.parameters, left.flops / whole.flops
    )
  return found


def prediction(
  model: classifiers.Model, case: classifier.Case
) -> turns.Program:
  """Logits of one image, with the running statistics."""

  def predict(params: Any, state: Any, images: Array) -> Array:
    logits, _ = model.apply(params, state, classifier.NORMALISE(images), False)
    return logits

  image = classifier.batches(case).images[:1]
  return turns.program(predict, model.params, model.state, image)


def report(
  benchmark: str,
  seen: Mapping[str, turns.Seen],
  pruned: Mapping[str, Pruned],
  fields: Mapping[str, Any],
) -> None:
  """Prints the table, the parts that are left, and the records."""
  print(f"{benchmark}:\n{turns.table(seen, UNPRUNED)}")
  for name in list(pruned)[1:]:
    left = {
      "left_parameters": pruned[name].left_parameters,
      "left_flops": pruned[name].left_flops,
    }
    turns.publish(
      turns.record(benchmark, name, UNPRUNED, seen) | dict(fields) | left
    )


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures the unpruned network and the smaller ones."""
  parser = classifier.parser("structured_pruning", __doc__)
  parser.add_argument(
    "--parts", type=float, nargs="*", default=[0.5, 0.8, 0.9, 0.95]
  )
  parser.add_argument(
    "--measure",
    default="flops",
    choices=classifier_pruning.MEASURES,
    help="what the parts are of, default flops",
  )
  args = parser.parse_args(arguments)
  case = classifier.case_of(args)
  print(f"structured_pruning: {case}, by {args.measure}", flush=True)
  pruned = prune(case, args.parts, measure=args.measure)
  for name, found in pruned.items():
    print(
      f"{name:<34} leaves {found.left_parameters:.4f} of the parameters and "
      f"{found.left_flops:.4f} of the operations",
      flush=True,
    )
  rounds = 0 if args.compile_only else args.rounds
  for work, make, factor in (
    ("training_step", classifier.training, 1),
    # A prediction takes milliseconds.
    ("prediction", prediction, 10),
  ):
    sides = {name: make(found.model, case) for name, found in pruned.items()}
    seen = turns.take_turns(sides, rounds=factor * rounds, pause=0.3 / factor)
    fields = dataclasses.asdict(case) | {"measure": args.measure}
    report(f"structured_pruning_{work}", seen, pruned, fields)
    # Each side's training holds parameters and momentum of its own.
    del sides


if __name__ == "__main__":
  main()
