"""Reaching the activations of a network from outside.

Quantising activations, measuring their ranges and differentiating with respect
to them (eq. 4.3 of Alizadeh's thesis) all do something to the same values. A
tap is that something, `tap(name, activation) -> activation`: a network calls it
where it has an activation,

  x = tap("relu_1", jax.nn.relu(x))

and a network that was written without taps gets them from `tap_products`, which
reads the traced program and taps what enters its matrix products and
convolutions: what fixed-point hardware would have to round.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal, jaxprs_in_params

from inrjax.sparsity import cost
from inrjax.types import Array, PyTree

# (name, activation) -> what the network goes on with, of the same shape.
Tap = Callable[[str, Array], Array]

_PRODUCTS = ("dot_general", "conv_general_dilated")


def identity(name: str, activation: Array) -> Array:
  """The tap that leaves a network alone."""
  del name
  return activation


def adding(perturbations: Mapping[str, Array]) -> Tap:
  """The tap that adds to each activation a perturbation of its name."""
  return lambda name, activation: activation + perturbations[name]


def shapes(
  fn: Callable[..., Any], *args: Any
) -> dict[str, jax.ShapeDtypeStruct]:
  """The activations that `fn(tap, *args)` taps, without computing them.

  Args:
    fn: a function whose first argument is a tap.
    *args: its other arguments, arrays or shapes.

  Returns:
    Shape and type of every activation, by name.

  Raises:
    ValueError: if two activations have one name.
  """
  found: dict[str, jax.ShapeDtypeStruct] = {}

  def tap(name: str, activation: Array) -> Array:
    if name in found:
      raise ValueError(f"Two activations are called {name!r}; number them.")
    found[name] = jax.ShapeDtypeStruct(activation.shape, activation.dtype)
    return activation

  jax.eval_shape(lambda *a: fn(tap, *a), *args)
  return found


def recording(
  fn: Callable[..., Any], *args: Any
) -> tuple[Any, dict[str, Array]]:
  """The result of `fn(tap, *args)` and the activations on the way.

  Args:
    fn: a function whose first argument is a tap.
    *args: its other arguments.

  Returns:
    The result and the activations by name; both may be traced.
  """
  found: dict[str, Array] = {}

  def tap(name: str, activation: Array) -> Array:
    found[name] = activation
    return activation

  return fn(tap, *args), found


def tap_products(fn: Callable[..., Any]) -> Callable[..., Any]:
  """Gives a function taps on the activations that enter its products.

  An activation is an operand of a matrix product or convolution, computed from
  parameters and from something else: neither a weight nor the network's input.
  One that enters several products is tapped once. They are called
  `activation_0`, `activation_1`, ... in the order of the program. Calls that
  have products inside are opened, so a checkpoint or a custom derivative
  around a layer is lost.

  Args:
    fn: `(params, *args) -> result`, such as a Haiku network's `apply`.

  Returns:
    `(tap, params, *args) -> result`, differentiable like `fn`.

  Raises:
    ValueError: when called, if a product with an activation is inside a loop or
      a branch, where one name would stand for many values.
  """

  def tapped(tap: Tap, params: PyTree, *args: Any) -> Any:
    closed, shape = jax.make_jaxpr(fn, return_shape=True)(params, *args)
    leaves = jax.tree.leaves((params, args))
    num_params = len(jax.tree.leaves(params))
    origins = [cost.Origin(frozenset(("params",)))] * num_params
    origins += [cost.Origin(inputs=True)] * (len(leaves) - num_params)
    runner = _Runner(tap)
    results = runner.run(
      closed.jaxpr, closed.consts, [jnp.asarray(x) for x in leaves], origins
    )
    return jax.tree.unflatten(jax.tree.structure(shape), results[0])

  return tapped


class _Runner:
  """Evaluates a program equation by equation; counts its activations."""

  def __init__(self, tap: Tap):
    self._tap = tap
    # Tapped activations by the identity of the value they replace, which is
    # kept beside them so that no other value can take its place.
    self._tapped: dict[int, tuple[Any, Any]] = {}

  def run(
    self,
    jaxpr: Any,
    consts: list[Any],
    values: list[Any],
    origins: list[cost.Origin],
  ) -> tuple[list[Any], list[cost.Origin]]:
    known = dict(zip(jaxpr.constvars, consts, strict=True))
    known |= dict(zip(jaxpr.invars, values, strict=True))
    made = dict(zip(jaxpr.invars, origins, strict=True))

    def value(atom: Any) -> Any:
      return atom.val if isinstance(atom, Literal) else known[atom]

    def origin(atom: Any) -> cost.Origin:
      if isinstance(atom, Literal):
        return cost.Origin()
      return made.get(atom, cost.Origin())

    for eqn in jaxpr.eqns:
      operands = [value(atom) for atom in eqn.invars]
      sources = [origin(atom) for atom in eqn.invars]
      if eqn.primitive.name in _PRODUCTS:
        operands = [
          self._apply_tap(operand)
          if source.params and source.inputs
          else operand
          for operand, source in zip(operands, sources, strict=True)
        ]
      results, after = self._equation(eqn, operands, sources)
      known.update(zip(eqn.outvars, results, strict=True))
      made.update(zip(eqn.outvars, after, strict=True))
    return [value(a) for a in jaxpr.outvars], [origin(a) for a in jaxpr.outvars]

  def _equation(
    self, eqn: Any, operands: list[Any], sources: list[cost.Origin]
  ) -> tuple[list[Any], list[cost.Origin]]:
    union = cost.Origin()
    for source in sources:
      union = union | source
    if any(map(_has_products, jaxprs_in_params(eqn.params))):
      inner = cost.inner_jaxpr(eqn)
      if inner is not None:
        (closed,) = (
          eqn.params[name]
          for name in ("jaxpr", "call_jaxpr", "fun_jaxpr")
          if name in eqn.params
        )
        return self.run(inner, getattr(closed, "consts", []), operands, sources)
      if union.params and union.inputs:
        raise ValueError(
          f"A product is inside a {eqn.primitive.name}, where an activation has"
          " no name of its own: unroll the loop, or call taps in the network."
        )
    found = eqn.primitive.bind(
      *operands, **eqn.primitive.get_bind_params(eqn.params)
    )
    results = list(found) if eqn.primitive.multiple_results else [found]
    return results, [union] * len(eqn.outvars)

  def _apply_tap(self, activation: Any) -> Any:
    if id(activation) not in self._tapped:
      name = f"activation_{len(self._tapped)}"
      result = self._tap(name, activation)
      if jnp.shape(result) != jnp.shape(activation):
        raise ValueError(
          f"The tap changed {name} from {jnp.shape(activation)} to"
          f" {jnp.shape(result)}; it must keep the shape."
        )
      self._tapped[id(activation)] = (activation, result)
    return self._tapped[id(activation)][1]


def _has_products(jaxpr: Any) -> bool:
  return any(
    eqn.primitive.name in _PRODUCTS
    or any(map(_has_products, jaxprs_in_params(eqn.params)))
    for eqn in jaxpr.eqns
  )
