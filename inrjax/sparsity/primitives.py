"""What each primitive of JAX does to the labels of its operands.

One rule for each kind of primitive: `(ids, equation, operands) -> axes of each
result`. A primitive without a rule may act on what is no channel, and mixes the
channels that it is given.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from inrjax.sparsity import products
from inrjax.sparsity.labels import (
  Axes,
  Identities,
  Label,
  Rule,
  Traced,
  channels,
  fixed,
  plain,
)

_ELEMENTWISE = (
  "abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp "
  "convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc "
  "exp exp2 expm1 fast_cosine fast_sine floor ge gt imag integer_pow is_finite "
  "le lgamma log log1p logistic lt max min mul name ne neg nextafter not "
  "optimization_barrier or population_count pmax pmin pow psum "
  "psum_invariant real reduce_precision rem round rsqrt select_n "
  "sharding_constraint shift_left shift_right_arithmetic shift_right_logical "
  "sign sin sinh sqrt square stop_gradient sub tan tanh xor"
).split()
_REDUCTIONS = (
  "argmax argmin reduce_and reduce_max reduce_min reduce_or reduce_prod "
  "reduce_sum reduce_xor"
).split()
_WINDOWS = (
  "reduce_window reduce_window_max reduce_window_min reduce_window_sum"
).split()
_SCANS = "cumlogsumexp cummax cummin cumprod cumsum".split()
_NOISE = (
  "random_bits random_fold_in random_seed random_split random_unwrap "
  "random_wrap threefry2x32"
).split()


def _unknown(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  for operand in operands:
    ids.mix(*operand.axes)
  return [plain(v.aval.shape) for v in equation.outvars]


def _elementwise(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  if len(equation.outvars) == len(operands):
    return [operand.axes for operand in operands]
  shape = equation.outvars[0].aval.shape
  axes: list[Label] = [None] * len(shape)
  for operand in operands:
    for axis, label in enumerate(operand.axes):
      if operand.shape[axis] == shape[axis]:
        axes[axis] = ids.tie(axes[axis], label)
  return [tuple(axes)]


def _noise(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  return [(None,) * len(v.aval.shape) for v in equation.outvars]


def _iota(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  axes: list[Label] = [None] * len(equation.params["shape"])
  dimension = equation.params["dimension"]
  axes[dimension] = fixed(equation.params["shape"][dimension])
  return [tuple(axes)]


def _reduce(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  reduced = equation.params["axes"]
  (operand,) = operands
  ids.mix(*(operand.axes[axis] for axis in reduced))
  return [tuple(a for i, a in enumerate(operand.axes) if i not in reduced)]


def _along(name: str) -> Rule:
  """Acts along one axis, which must not hold channels, and keeps the shape."""

  def rule(
    ids: Identities, equation: Any, operands: Sequence[Traced]
  ) -> list[Axes]:
    axis = equation.params[name]
    results = []
    for operand in operands:
      ids.mix(operand.axes[axis])
      axes = list(operand.axes)
      axes[axis] = plain(operand.shape)[axis]
      results.append(tuple(axes))
    return results

  return rule


def _window(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  params = equation.params
  operand = operands[0]
  shape = equation.outvars[0].aval.shape
  axes = []
  for axis, label in enumerate(operand.axes):
    if params["window_dimensions"][axis] == 1 and (
      operand.shape[axis] == shape[axis]
    ):
      axes.append(label)
    else:
      ids.mix(label)
      axes.append(fixed(shape[axis]))
  return [tuple(axes)]


def _broadcast(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  shape = equation.params["shape"]
  operand = operands[0]
  axes: list[Label] = [None] * len(shape)
  for axis, target in enumerate(equation.params["broadcast_dimensions"]):
    if operand.shape[axis] == shape[target]:
      axes[target] = operand.axes[axis]
  return [tuple(axes)]


def _transpose(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  return [tuple(operands[0].axes[i] for i in equation.params["permutation"])]


def _squeeze(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  dropped = equation.params["dimensions"]
  return [tuple(a for i, a in enumerate(operands[0].axes) if i not in dropped)]


def _reverse(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  dimensions = equation.params["dimensions"]
  return [
    tuple(
      a if a is None or i not in dimensions else a[::-1]
      for i, a in enumerate(operands[0].axes)
    )
  ]


def _slice(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  params = equation.params
  strides = params["strides"] or (1,) * len(operands[0].shape)
  slices = itertools.starmap(
    slice,
    zip(params["start_indices"], params["limit_indices"], strides, strict=True),
  )
  return [
    tuple(
      None if label is None else label[cut]
      for label, cut in zip(operands[0].axes, slices, strict=True)
    )
  ]


def _split(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  sizes, axis = equation.params["sizes"], equation.params["axis"]
  axes = operands[0].axes
  label = axes[axis]
  cuts = np.cumsum(sizes)[:-1]
  pieces = [None] * len(sizes) if label is None else np.split(label, cuts)
  return [(*axes[:axis], piece, *axes[axis + 1 :]) for piece in pieces]


def _same_size_only(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  """Axes that keep their size are untouched; others must not hold channels."""
  shape = equation.outvars[0].aval.shape
  axes = []
  for label, old, new in zip(
    operands[0].axes, operands[0].shape, shape, strict=True
  ):
    if old != new:
      ids.mix(label)
      label = fixed(new)
    axes.append(label)
  return [tuple(axes)]


def _pad(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  axes = []
  shape = equation.outvars[0].aval.shape
  for label, config, size in zip(
    operands[0].axes, equation.params["padding_config"], shape, strict=True
  ):
    if any(config):
      # How much is padded is a number of the user's program, which a network
      # with fewer channels would not follow.
      ids.mix(label)
      label = fixed(size)
    axes.append(label)
  return [tuple(axes)]


def _concatenate(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  dimension = equation.params["dimension"]
  axes: list[Label] = list(operands[0].axes)
  for operand in operands[1:]:
    for axis, label in enumerate(operand.axes):
      if axis != dimension:
        axes[axis] = ids.tie(axes[axis], label)
  axes[dimension] = np.concatenate(
    [
      fixed(operand.shape[dimension])
      if operand.axes[dimension] is None
      else operand.axes[dimension]
      for operand in operands
    ]
  )
  return [tuple(axes)]


def _blocks(
  old: Sequence[int], new: Sequence[int]
) -> list[tuple[list[int], list[int]]]:
  """Smallest sets of old and of new axes that hold the same positions."""
  result = []
  i = j = 0
  while i < len(old) or j < len(new):
    ins: list[int] = []
    outs: list[int] = []
    while True:
      left = math.prod(old[k] for k in ins)
      right = math.prod(new[k] for k in outs)
      if left == right and (ins or outs):
        break
      if (left <= right and i < len(old)) or j == len(new):
        ins.append(i)
        i += 1
      else:
        outs.append(j)
        j += 1
    result.append((ins, outs))
  return result


def _regroup(
  ids: Identities,
  labels: list[Label],
  old: list[int],
  new: list[int],
) -> list[Label]:
  """Labels after the axes of sizes `old` have become axes of sizes `new`."""
  if old == new:
    return labels
  holding = [i for i, label in enumerate(labels) if channels(label).size]
  if not holding:
    if all(label is None for label in labels):
      return [None] * len(new)
    return list(plain(new))
  if len(holding) > 1:
    ids.mix(*labels)
    return list(plain(new))
  (axis,) = holding
  label = labels[axis]
  assert label is not None
  shape = [size if i == axis else 1 for i, size in enumerate(old)]
  spread = np.broadcast_to(label.reshape(shape), old).reshape(new)
  tied = ids.roots(spread.ravel()).reshape(new)
  varying = [
    i for i in range(len(new)) if (tied != tied.take([0], axis=i)).any()
  ]
  if len(varying) != 1:
    ids.mix(label)
    return list(plain(new))
  (kept,) = varying
  first = tuple(slice(None) if i == kept else 0 for i in range(len(new)))
  result = list(plain(new))
  result[kept] = spread[first]
  return result


def _reshape(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  (operand,) = operands
  shape = equation.outvars[0].aval.shape
  axes: list[Label] = [None] * len(shape)
  # Axes of size 1 hold nothing and would only blur which axis became which.
  old = [i for i, size in enumerate(operand.shape) if size != 1]
  new = [i for i, size in enumerate(shape) if size != 1]
  for ins, outs in _blocks(
    [operand.shape[i] for i in old], [shape[i] for i in new]
  ):
    labels = _regroup(
      ids,
      [operand.axes[old[i]] for i in ins],
      [operand.shape[old[i]] for i in ins],
      [shape[new[i]] for i in outs],
    )
    for i, label in zip(outs, labels, strict=True):
      axes[new[i]] = label
  return [tuple(axes)]


_RULES: dict[str, Rule] = {
  **dict.fromkeys(_ELEMENTWISE, _elementwise),
  **dict.fromkeys(_REDUCTIONS, _reduce),
  **dict.fromkeys(_WINDOWS, _window),
  **dict.fromkeys(_SCANS, _along("axis")),
  **dict.fromkeys(_NOISE, _noise),
  "sort": _along("dimension"),
  "iota": _iota,
  "broadcast_in_dim": _broadcast,
  "transpose": _transpose,
  "squeeze": _squeeze,
  "rev": _reverse,
  "slice": _slice,
  "dynamic_slice": _same_size_only,
  "split": _split,
  "pad": _pad,
  "concatenate": _concatenate,
  "reshape": _reshape,
  "dot_general": products.dot,
  "conv_general_dilated": products.conv,
  "gather": products.gather,
}
_CALLS = (
  "jit pjit closed_call core_call remat checkpoint remat2 custom_jvp_call "
  "custom_vjp_call custom_vjp_call_jaxpr custom_lin"
).split()


def _module(prefix: str, equation: Any) -> str:
  stack = str(equation.source_info.name_stack)
  return "/".join(part for part in (prefix, stack) if part)


def _inner(equation: Any) -> tuple[Any, Sequence[Any]]:
  """The program that a call runs, and its constants."""
  for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
    program = equation.params.get(name)
    if program is not None:
      break
  assert program is not None, equation.primitive.name
  if hasattr(program, "jaxpr"):
    return program.jaxpr, program.consts
  return program, ()


def follow(
  ids: Identities,
  program: Any,
  constants: Sequence[Any],
  arguments: Sequence[Traced],
  *,
  where: str = "",
) -> list[Traced]:
  """Labels of the results of a traced program.

  Args:
    ids: the identities; learns what the program demands of them.
    program: a `jax.extend.core.Jaxpr`.
    constants: the values of its constants.
    arguments: labels of its arguments.
    where: the module that calls it, for messages.

  Returns:
    One `Traced` for each result.
  """
  known: dict[Any, Traced] = dict(zip(program.invars, arguments, strict=True))
  for variable, value in zip(program.constvars, constants, strict=True):
    known[variable] = Traced(plain(np.shape(value)), np.shape(value), False)

  def read(atom: Any) -> Traced:
    if hasattr(atom, "val"):
      shape = np.shape(atom.val)
      return Traced(plain(shape), shape, False)
    return known[atom]

  for equation in program.eqns:
    operands = [read(atom) for atom in equation.invars]
    module = _module(where, equation)
    name = equation.primitive.name
    data = any(operand.data for operand in operands)
    if name in _CALLS:
      inner, consts = _inner(equation)
      results = follow(ids, inner, consts, operands, where=module)
    else:
      ids.where = (repr(module) if module else "the top level", name)
      for operand in operands:
        for label in operand.axes:
          ids.seen.update(channels(label).tolist())
      rule = _RULES.get(name, _unknown)
      results = [
        Traced(axes, variable.aval.shape, data)
        for axes, variable in zip(
          rule(ids, equation, operands), equation.outvars, strict=True
        )
      ]
    for variable, result in zip(equation.outvars, results, strict=True):
      known[variable] = result
  return [read(atom) for atom in program.outvars]
