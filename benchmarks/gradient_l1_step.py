"""A training step with the gradient-L1 term (eq. 4.3) against a plain one.

The term is over weights and activations. `--double` also measures what
`jax.grad` makes of the definition, reverse over reverse.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import classifier, turns
from experiments import classifiers
from inrjax.quantize import regularizers, taps
from inrjax.sparsity import structures
from inrjax.types import Array, PyTree

PLAIN, OURS, DOUBLE = "plain step", "inrjax", "JAX, reverse over reverse"
# Of gradients, which hold a Hessian times signs of float32 numbers.
TOLERANCE = 1e-2


def double_backward(weight: float) -> classifiers.Term:
  """L + lambda (|dL/dw| + |dL/dy|) as it stands, for `jax.grad`."""

  def term(
    loss_fn: Callable[..., Any], params: PyTree, batch: Any
  ) -> tuple[Array, Any, dict[str, Array]]:
    zeros = {
      name: jnp.zeros(shape.shape, shape.dtype)
      for name, shape in taps.shapes(loss_fn, params, batch).items()
    }
    (loss, aux), (grads, back) = jax.value_and_grad(
      lambda p, y: loss_fn(taps.adding(y), p, batch),
      argnums=(0, 1),
      has_aux=True,
    )(params, zeros)
    weights = [
      leaf
      for name, leaf in structures.named_leaves(grads).items()
      if structures.is_weight(name, leaf)
    ]
    norms = [
      sum((jnp.sum(jnp.abs(leaf)) for leaf in leaves), start=jnp.zeros(()))
      for leaves in (weights, list(back.values()))
    ]
    metrics = {"norm_w": norms[0], "norm_y": norms[1]}
    return loss + weight * (norms[0] + norms[1]), aux, metrics

  return term


def programs(
  case: classifier.Case,
  *,
  weight: float,
  learning_rate: float,
  double: bool = False,
) -> dict[str, turns.Program]:
  """Training steps of momentum SGD, compiled; each run is the next step.

  Args:
    case: the sizes.
    weight: lambda of eq. 4.3, of both norms.
    learning_rate: of the training.
    double: whether reverse over reverse is among them.
  """
  terms = {
    PLAIN: classifiers.plain,
    OURS: classifiers.gradient_term(regularizers.l1, weight),
  }
  if double:
    terms[DOUBLE] = double_backward(weight)
  model = classifier.make_model(case)
  return {
    name: classifier.training(
      model, case, term=term, learning_rate=learning_rate
    )
    for name, term in terms.items()
  }


def main(arguments: Sequence[str] | None = None) -> None:
  """Measures the steps of each network."""
  parser = classifier.parser("gradient_l1_step", __doc__)
  parser.set_defaults(network=None)
  parser.add_argument(
    "--weight", type=float, default=0.05, help="lambda, default 0.05"
  )
  parser.add_argument("--learning_rate", type=float, default=1e-3)
  parser.add_argument(
    "--double", action="store_true", help="measure reverse over reverse too"
  )
  args = parser.parse_args(arguments)
  # The two of the thesis, unless a flag names one.
  networks = [args.network] if args.network else ["vgg_like", "resnet18"]
  for args.network in networks:
    case = classifier.case_of(args)
    print(f"gradient_l1_step: {case}, lambda {args.weight}", flush=True)
    sides = programs(
      case,
      weight=args.weight,
      learning_rate=args.learning_rate,
      double=args.double,
    )
    rounds = 0 if args.compile_only else args.rounds
    if rounds and args.double:
      # After the first step the momentum is the gradient.
      one, other = (sides[n].run()[0].opt_state for n in (OURS, DOUBLE))
      classifier.check_same(one, other, tolerance=TOLERANCE)
      del one, other
    seen = turns.take_turns(sides, rounds=rounds)
    print(turns.table(seen, PLAIN))
    for name in list(sides)[1:]:
      turns.publish(
        turns.record("gradient_l1_step", name, PLAIN, seen)
        | dataclasses.asdict(case)
        | {"weight": args.weight}
      )


if __name__ == "__main__":
  main()
