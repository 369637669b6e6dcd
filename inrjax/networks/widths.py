"""A Haiku network at whatever widths its parameters have.

Haiku's layers fix their number of outputs where they are constructed. A pruned
network is the same function with fewer of them, so that its layers have to take
the number from the parameters they are given.
"""

import functools
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

import haiku as hk
from haiku import MethodContext

from inrjax.types import PyTree

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _resize(module: hk.Module, weight_shape: tuple[int, ...]) -> None:
  """Sets the module's number of outputs to that of its weight."""
  if isinstance(module, hk.Linear):
    module.output_size = weight_shape[-1]
  elif isinstance(module, hk.ConvND):
    module.output_channels = weight_shape[-1]
  elif isinstance(module, hk.ConvNDTranspose):
    module.output_channels = weight_shape[-2]


def at_widths(fn: Callable[_P, _R], params: PyTree) -> Callable[_P, _R]:
  """`fn`, whose Haiku layers are as wide as the parameters say.

  Linear layers, convolutions and transposed convolutions look up their number
  of outputs; normalisation layers, and the inputs of every layer, follow what
  comes in.

  Args:
    fn: the `init` or the `apply` of a Haiku transform, or a function of them.
    params: `{module: {"w": array, ...}}`; only the shapes are read.

  Returns:
    A function with the arguments of `fn`.
  """
  shapes = {
    module: leaves["w"].shape
    for module, leaves in params.items()
    if isinstance(leaves, Mapping) and "w" in leaves
  }

  def interceptor(
    next_fn: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
    context: MethodContext,
  ) -> object:
    name = getattr(context.module, "module_name", None)
    if context.method_name == "__call__" and name in shapes:
      _resize(context.module, shapes[name])
    return next_fn(*args, **kwargs)

  @functools.wraps(fn)
  def resized(*args: _P.args, **kwargs: _P.kwargs) -> _R:
    with hk.intercept_methods(interceptor):
      return fn(*args, **kwargs)

  return resized


def follow_widths(apply: Callable[..., _R]) -> Callable[..., _R]:
  """`apply`, at the widths of the parameters of each call.

  Args:
    apply: `(params, ...) -> outputs` of a Haiku transform.

  Returns:
    The same function where the parameters have their original shapes, the
    smaller network where layers have been pruned (`inrjax.sparsity.shrink`).
  """

  @functools.wraps(apply)
  def followed(params: PyTree, *args: object, **kwargs: object) -> _R:
    return at_widths(apply, params)(params, *args, **kwargs)

  return followed
