"""What products with weights do to labels: the layers themselves.

Rules for `inrjax.sparsity.primitives`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from inrjax.sparsity.labels import (
  Axes,
  Identities,
  Traced,
  channels,
  fixed,
  plain,
)


def _mark_weight(
  ids: Identities, weight: Traced, summed: Sequence[int], other: Traced
) -> None:
  """Remembers which axes of a weight are inputs and which are outputs."""
  if weight.data or not other.data:
    return
  for axis, label in enumerate(weight.axes):
    held = channels(label).tolist()
    if axis in summed:
      ids.inputs.update(held)
    else:
      ids.outputs.update(dict.fromkeys(held))


def dot(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  """Matrix products: what is summed is tied, the rest goes to the result."""
  left, right = operands
  (left_sum, right_sum), (left_batch, right_batch) = equation.params[
    "dimension_numbers"
  ]
  exact = not (left.data and right.data)
  for i, j in zip(left_sum, right_sum, strict=True):
    if left.shape[i] > 1:
      ids.contract(left.axes[i], right.axes[j], exact=exact)
  _mark_weight(ids, left, [*left_sum, *left_batch], right)
  _mark_weight(ids, right, [*right_sum, *right_batch], left)
  batch = [
    ids.tie(left.axes[i], right.axes[j])
    for i, j in zip(left_batch, right_batch, strict=True)
  ]
  rest = [
    operand.axes[i]
    for operand, used in (
      (left, {*left_sum, *left_batch}),
      (right, {*right_sum, *right_batch}),
    )
    for i in range(len(operand.shape))
    if i not in used
  ]
  return [(*batch, *rest)]


def conv(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  """Convolutions, dense or depthwise, of any layout and dilation."""
  image, kernel = operands
  numbers = equation.params["dimension_numbers"]
  groups = equation.params["feature_group_count"]
  batch, feature, *spatial = numbers.lhs_spec
  out, into, *kernel_spatial = numbers.rhs_spec
  ids.mix(*(image.axes[i] for i in spatial))
  for i in kernel_spatial:
    ids.keep(channels(kernel.axes[i]))
  outputs = kernel.axes[out]
  if equation.params["batch_group_count"] != 1:
    ids.mix(image.axes[batch], image.axes[feature], outputs)
    ids.keep(channels(kernel.axes[into]))
    outputs = fixed(kernel.shape[out])
  elif groups == 1:
    if kernel.shape[into] > 1:
      exact = not (image.data and kernel.data)
      ids.contract(image.axes[feature], kernel.axes[into], exact=exact)
    _mark_weight(ids, kernel, [into, *kernel_spatial], image)
  elif groups == image.shape[feature]:
    # Depthwise: each channel goes with the outputs that are made of it.
    label = image.axes[feature]
    multiple = kernel.shape[out] // groups
    repeated = None if label is None else np.repeat(label, multiple)
    outputs = ids.tie(outputs, repeated)
  else:
    ids.mix(image.axes[feature], outputs)
    ids.keep(channels(kernel.axes[into]))
    outputs = fixed(kernel.shape[out])
  shape = equation.outvars[0].aval.shape
  axes = list(plain(shape))
  axes[numbers.out_spec[0]] = image.axes[batch]
  axes[numbers.out_spec[1]] = outputs
  return [tuple(axes)]


def gather(
  ids: Identities, equation: Any, operands: Sequence[Traced]
) -> list[Axes]:
  """Rows of a table: axes that are taken whole keep their labels."""
  table = operands[0]
  numbers = equation.params["dimension_numbers"]
  sizes = equation.params["slice_sizes"]
  axes = list(plain(equation.outvars[0].aval.shape))
  left = [
    i
    for i in range(len(table.shape))
    if i not in numbers.collapsed_slice_dims
    and i not in numbers.operand_batching_dims
  ]
  targets = dict(zip(left, numbers.offset_dims, strict=True))
  for i, label in enumerate(table.axes):
    if i in targets and sizes[i] == table.shape[i]:
      axes[targets[i]] = label
    elif table.data:
      ids.mix(label)
    else:
      ids.keep(channels(label))
  return [tuple(axes)]
