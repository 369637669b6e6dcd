"""What a network computes, counted in its traced program.

Costs are read off the shapes of the program's own equations, so they hold for
any network and need no table of layers. A product (matrix product or
convolution) counts two operations for each multiply and add, elementwise
arithmetic one for each element. A convolution counts what meets the input and
not its padding, as the compiler does.

Differs from the paper: eq. 3.4 counts padding, which matters where the kernel
is as large as the picture.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Literal

from inrjax.sparsity import structures
from inrjax.types import PyTree

# One operation for each element of the result. Transcendental functions are
# counted apart by the compiler too, and are left out.
_ELEMENTWISE = frozenset(
  "abs add add_any clamp div eq floor ge gt le lt max min mul ne neg rem round"
  " select_n sign square sub".split()
)
_REDUCTIONS = frozenset("reduce_sum reduce_max reduce_min reduce_prod".split())
_WINDOWS = frozenset("reduce_window_max reduce_window_sum".split())


class Origin(NamedTuple):
  """What a value of the program was computed from.

  Attributes:
    params: names of parameters.
    inputs: whether anything else went in.
  """

  params: frozenset[str] = frozenset()
  inputs: bool = False

  def __or__(self, other: "Origin") -> "Origin":
    return Origin(self.params | other.params, self.inputs or other.inputs)


class Operation(NamedTuple):
  """An equation of the program that computes something.

  Attributes:
    flops: operations, over all of its repetitions.
    weights: names of the parameters of the operand that is made of parameters
      alone, for a product; else empty.
  """

  flops: float
  weights: frozenset[str] = frozenset()


def count_flops(fn: Callable[..., Any], *args: Any) -> float:
  """Operations of `fn(*args)`.

  Args:
    fn: any traceable function.
    *args: arrays or shapes (`jax.ShapeDtypeStruct`).

  Returns:
    The number of operations, for the whole batch.

  Raises:
    ValueError: for a loop whose number of steps is not in the program.
  """
  closed = jax.make_jaxpr(fn)(*args)
  origins = [Origin()] * len(closed.jaxpr.invars)
  return sum(op.flops for op in _walk(closed.jaxpr, origins)[1])


def product_costs(
  fn: Callable[..., Any], params: PyTree, *args: Any
) -> list[Operation]:
  """The products of `fn(params, *args)` that parameters take part in.

  Args:
    fn: the forward pass, usually.
    params: parameters; names are those of `structures.named_leaves`.
    *args: inputs, states and keys.

  Returns:
    The operations in the order of the program; both arrays and shapes will do
    for the arguments.
  """
  closed = jax.make_jaxpr(fn)(params, *args)
  names = list(structures.named_leaves(params))
  rest = len(closed.jaxpr.invars) - len(names)
  origins = [Origin(frozenset((n,))) for n in names]
  origins += [Origin(inputs=True)] * rest
  return [op for op in _walk(closed.jaxpr, origins)[1] if op.weights]


def unit_costs(
  fn: Callable[..., Any],
  params: PyTree,
  *args: Any,
  structure: structures.Structure,
) -> dict[str, float]:
  """Operations of one entry of each mask: c_i of eq. 3.4.

  The products that the mask's parameters take part in, divided by the mask's
  size. For a layer of 3 x 3 convolutions that is 2 H W C_in 3 3 of a channel;
  layers that are tied in one group add up.

  Args:
    fn: the forward pass.
    params: its parameters.
    *args: its other arguments, arrays or shapes.
    structure: whose entries are to be priced.

  Returns:
    For each mask, the cost of one entry; 0 if no product uses its parameters.

  Raises:
    ValueError: for a loop whose number of steps is not in the program.
  """
  products = product_costs(fn, params, *args)
  sizes = jax.eval_shape(structure.init, params)
  return {
    name: sum(op.flops for op in products if op.weights & set(leaves))
    / sizes[name].size
    for name, leaves in structure.members(params).items()
  }


def inner_jaxpr(eqn: Any) -> Any | None:
  """The program that an equation calls once on all its operands, if any."""
  if eqn.primitive.name in ("scan", "while", "cond"):
    return None
  for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
    inner = eqn.params.get(name)
    if inner is not None:
      jaxpr = getattr(inner, "jaxpr", inner)
      return jaxpr if len(jaxpr.invars) == len(eqn.invars) else None
  return None


def _walk(
  jaxpr: Any, origins: Sequence[Origin]
) -> tuple[list[Origin], list[Operation]]:
  """Origins of the results, and the operations on the way."""
  known = dict(zip(jaxpr.invars, origins, strict=True))
  found: list[Operation] = []

  def origin(atom: Any) -> Origin:
    # Literals and constants of the program were computed from nothing.
    return Origin() if isinstance(atom, Literal) else known.get(atom, Origin())

  for eqn in jaxpr.eqns:
    operands = [origin(atom) for atom in eqn.invars]
    results, operations = _equation(eqn, operands)
    found.extend(operations)
    known.update(zip(eqn.outvars, results, strict=True))
  return [origin(atom) for atom in jaxpr.outvars], found


def _equation(
  eqn: Any, operands: list[Origin]
) -> tuple[list[Origin], list[Operation]]:
  name = eqn.primitive.name
  inner = inner_jaxpr(eqn)
  if inner is not None:
    return _walk(inner, operands)
  if name == "scan":
    return _scan(eqn, operands)
  if name == "cond":
    branches = [_walk(b.jaxpr, operands[1:]) for b in eqn.params["branches"]]
    # The dearest branch, and whatever any of them depends on.
    results = [
      _union((*rs, operands[0]))
      for rs in zip(*(r for r, _ in branches), strict=True)
    ]
    return results, max(
      (ops for _, ops in branches), key=lambda ops: sum(o.flops for o in ops)
    )
  if name == "while":
    body = eqn.params["body_jaxpr"].jaxpr
    _, operations = _walk(body, [_union(operands)] * len(body.invars))
    if operations:
      raise ValueError(
        "The program has a while_loop, whose number of steps is unknown before"
        " it runs: count the cost of one step, or write it as a scan."
      )
  union = _union(operands)
  flops, weights = _flops(eqn), frozenset[str]()
  if name in ("dot_general", "conv_general_dilated"):
    for operand in operands:
      if not operand.inputs:
        weights |= operand.params
  return [union] * len(eqn.outvars), (
    [Operation(flops, weights)] if flops else []
  )


def _scan(
  eqn: Any, operands: list[Origin]
) -> tuple[list[Origin], list[Operation]]:
  body = eqn.params["jaxpr"].jaxpr
  num_consts, num_carry = eqn.params["num_consts"], eqn.params["num_carry"]
  carried = slice(num_consts, num_consts + num_carry)
  while True:
    results, operations = _walk(body, operands)
    after = [
      a | b for a, b in zip(operands[carried], results[:num_carry], strict=True)
    ]
    if after == operands[carried]:
      break
    # What a step left depends on more than what it found.
    operands = [*operands[:num_consts], *after, *operands[carried.stop :]]
  length = eqn.params["length"]
  return results, [op._replace(flops=op.flops * length) for op in operations]


def _union(origins: Sequence[Origin]) -> Origin:
  result = Origin()
  for origin in origins:
    result = result | origin
  return result


def _flops(eqn: Any) -> float:
  name = eqn.primitive.name
  shapes = [getattr(atom.aval, "shape", ()) for atom in eqn.invars]
  size = (
    math.prod(getattr(eqn.outvars[0].aval, "shape", ())) if eqn.outvars else 0
  )
  if name == "dot_general":
    (contracted, _), _ = eqn.params["dimension_numbers"]
    return 2.0 * size * math.prod(shapes[0][axis] for axis in contracted)
  if name == "conv_general_dilated":
    return _convolution(eqn, *shapes)
  if name == "integer_pow":
    return float(size * max(abs(eqn.params["y"]).bit_length() - 1, 1))
  if name in _ELEMENTWISE:
    return float(size)
  if name in _REDUCTIONS:
    return float(math.prod(shapes[0]) - size)
  if name in _WINDOWS:
    return float(size * (math.prod(eqn.params["window_dimensions"]) - 1))
  return 0.0


def _convolution(
  eqn: Any, image: tuple[int, ...], kernel: tuple[int, ...]
) -> float:
  params, layout = eqn.params, eqn.params["dimension_numbers"]
  out = eqn.outvars[0].aval.shape
  meetings = math.prod(_meetings(params, layout, image, kernel, out))
  num_images = image[layout.lhs_spec[0]] // params["batch_group_count"]
  num_in, num_out = kernel[layout.rhs_spec[1]], kernel[layout.rhs_spec[0]]
  return 2.0 * meetings * num_images * num_in * num_out


def _meetings(
  params: Any, layout: Any, image: Any, kernel: Any, out: Any
) -> Iterator[int]:
  """For each dimension, the pairs of output and kernel that meet the input."""
  for i, (low, _) in enumerate(params["padding"]):
    size = image[layout.lhs_spec[2 + i]]
    dilation = params["lhs_dilation"][i]
    outputs = np.arange(out[layout.out_spec[2 + i]])
    taps = np.arange(kernel[layout.rhs_spec[2 + i]])
    position = (
      outputs[:, None] * params["window_strides"][i]
      + taps * params["rhs_dilation"][i]
      - low
    )
    inside = (position >= 0) & (position <= (size - 1) * dilation)
    yield int(np.sum(inside & (position % dilation == 0)))
