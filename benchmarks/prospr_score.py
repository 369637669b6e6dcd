"""ProsPr's scores against plain reverse-over-reverse JAX.

The baseline is what `jax.grad` makes of the definition: a Python loop over the
inner steps, differentiated with respect to the mask. First-order ProsPr is
compiled at several numbers of steps, to see that its memory does not grow with
them.
"""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks import classifier, turns
from inrjax import sparsity
from inrjax.sparsity import structures
from inrjax.types import Array, PyTree

OURS = "inrjax"
BASELINE = "JAX, reverse over reverse"
# Scores at float32 are this close; two orders of derivatives are behind them.
TOLERANCE = 1e-2

LossFn = Callable[[PyTree, Any], Array]
# (params, batches) -> scores of each weight.
Score = Callable[[PyTree, Any], dict[str, Array]]


@dataclasses.dataclass(frozen=True)
class Inner:
  """The training that the scores look ahead to.

  Attributes:
    num_steps: M.
    learning_rate: of the inner steps.
    momentum: of the inner steps.
  """

  num_steps: int = 3
  learning_rate: float = 0.1
  momentum: float = 0.9

  def optimizer(self) -> optax.GradientTransformation:
    """Momentum SGD."""
    return optax.sgd(self.learning_rate, momentum=self.momentum)


def reverse_over_reverse(loss_fn: LossFn, inner: Inner) -> Score:
  """Eqs. 3.6 to 3.15 as they stand, for one mask entry a weight."""

  def step(carry: Any, batch: Any) -> Any:
    weights, velocity = carry
    grads = jax.grad(loss_fn)(weights, batch)
    velocity = jax.tree.map(
      lambda v, g: inner.momentum * v + g, velocity, grads
    )
    weights = jax.tree.map(
      lambda w, v: w - inner.learning_rate * v, weights, velocity
    )
    return weights, velocity

  def score(params: PyTree, batches: Any) -> dict[str, Array]:
    batch = [
      jax.tree.map(lambda x, i=i: x[i], batches)
      for i in range(inner.num_steps + 1)
    ]

    def loss_after(mask: dict[str, Array]) -> Array:
      weights = structures.map_named(
        lambda name, w: mask[name] * w if name in mask else w, params
      )
      carry = (weights, jax.tree.map(jnp.zeros_like, weights))
      for some in batch[:-1]:
        carry = step(carry, some)
      return loss_fn(carry[0], batch[-1])

    mask = {
      name: jnp.ones_like(w)
      for name, w in structures.named_leaves(params).items()
      if structures.is_weight(name, w)
    }
    sizes = jax.tree.map(jnp.abs, jax.grad(loss_after)(mask))
    total = sum(jnp.sum(size) for size in sizes.values())
    return {name: size / total for name, size in sizes.items()}

  return score


def ours(loss_fn: LossFn, inner: Inner) -> Score:
  """The library's."""
  return _score(sparsity.ProsPr(inner.optimizer(), inner.num_steps), loss_fn)


def first_order(loss_fn: LossFn, inner: Inner) -> Score:
  """The library's, eq. 3.20."""
  saliency = sparsity.FirstOrderProsPr(inner.optimizer(), inner.num_steps)
  return _score(saliency, loss_fn)


def _score(saliency: Any, loss_fn: LossFn) -> Score:
  def score(params: PyTree, batches: Any) -> dict[str, Array]:
    found: dict[str, Array] = saliency(
      jax.random.key(0), loss_fn, params, batches, sparsity.Unstructured()
    )
    return found

  return score


def programs(case: classifier.Case, inner: Inner) -> dict[str, turns.Program]:
  """The sides, compiled for the case.

  Args:
    case: the sizes.
    inner: the training.
  """
  model = classifier.make_model(case)
  loss_fn = classifier.loss_fn(model)
  batches = classifier.batches(case, inner.num_steps + 1)
  scores = {
    OURS: ours(loss_fn, inner),
    BASELINE: reverse_over_reverse(loss_fn, inner),
  }
  return {
    name: turns.program(score, model.params, batches)
    for name, score in scores.items()
  }


def first_order_temporaries(
  case: classifier.Case, inner: Inner, num_steps: Sequence[int]
) -> dict[int, int | None]:
  """Bytes of first-order ProsPr's temporaries; nothing is run."""
  model = classifier.make_model(case)
  loss_fn = classifier.loss_fn(model)
  one = classifier.batches(case)
  found = {}
  for number in num_steps:
    batches = jax.tree.map(
      lambda x, n=number: jax.ShapeDtypeStruct((n + 1, *x.shape), x.dtype),
      one,
    )
    score = first_order(loss_fn, dataclasses.replace(inner, num_steps=number))
    found[number] = turns.program(score, model.params, batches).temporaries
  return found


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
  """Reads the flags."""
  parser = classifier.parser("prospr_score", __doc__)
  # One run at full size is two minutes on two cores.
  parser.set_defaults(rounds=3)
  for field in dataclasses.fields(Inner):
    parser.add_argument(
      f"--{field.name}",
      type=type(field.default),
      default=field.default,
      help=f"default {field.default}",
    )
  parser.add_argument(
    "--memory_at",
    type=int,
    nargs="*",
    default=[3, 16, 64],
    help="numbers of steps at which first-order ProsPr is compiled",
  )
  return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures our scores against the baseline's."""
  args = parse(arguments)
  case = classifier.case_of(args)
  inner = Inner(args.num_steps, args.learning_rate, args.momentum)
  print(f"prospr_score: {case}, {inner}", flush=True)
  sides = programs(case, inner)
  rounds = 0 if args.compile_only else args.rounds
  if rounds:
    classifier.check_same(
      sides[OURS].run(), sides[BASELINE].run(), tolerance=TOLERANCE
    )
  # What was run for the check is warm.
  seen = turns.take_turns(sides, rounds=rounds, warmup=0)
  print(turns.table(seen, BASELINE))
  grown = first_order_temporaries(case, inner, args.memory_at)
  print(f"Bytes of first-order ProsPr's temporaries by steps: {grown}")
  turns.publish(
    turns.record("prospr_score", OURS, BASELINE, seen)
    | dataclasses.asdict(case)
    | dataclasses.asdict(inner)
    | {"first_order_temporaries_by_num_steps": grown}
  )


if __name__ == "__main__":
  main()
