"""Whether the parts of a model file fit together.

The content hash tells that a file is as it was written; this, that what was
written is a model: every array is there, of the right type and shape, finite,
and within the bounds that keep the entropy path exact.
"""

from typing import Any, Protocol

import jax
import numpy as np

from inrjax.codec import (
  coders,
  context,
  errors,
  sparse_weights,
)
from inrjax.meta import method as method_lib

_MAX_BITS = 24


class Spec(Protocol):
  """What a specification says of its inner loop."""

  def method(self) -> method_lib.Method:
    """The method whose inner loop encodes."""
    ...


def check_outer(spec: Spec, outer: method_lib.Outer) -> None:
  """Compares what training learned with what the network has room for.

  Args:
    spec: network and inner loop.
    outer: trees of arrays.

  Raises:
    CorruptBitstreamError: if an array is missing, superfluous, of another
      shape, or not finite; names it.
  """
  expected = _by_path(
    jax.eval_shape(spec.method().init, jax.random.key(0))._asdict()
  )
  found = _by_path(outer._asdict())
  for name in expected.keys() ^ found.keys():
    state = "lacks" if name in expected else "has an unknown"
    raise errors.CorruptBitstreamError(f"the model {state} array {name}")
  for name, array in found.items():
    _check_floats(name, array, expected[name].shape)


def check_coder(coder: coders.Coder, num_values: int) -> None:
  """Checks a latent coder's arrays.

  Args:
    coder: the coder.
    num_values: L, values stored per tile.

  Raises:
    CorruptBitstreamError: if an array is of another type or shape, or holds
      what it cannot; names it.
  """
  if isinstance(coder, coders.TransformCoder):
    _check_transform_coder(coder, num_values)
  elif isinstance(coder, coders.FixedWidthCoder):
    _check_fixed_width_coder(coder, num_values)


def check_stored(stored: np.ndarray, outer: method_lib.Outer) -> None:
  """Checks which parameters a codec of weights stores.

  Args:
    stored: `[all]` bool.
    outer: what training learned, its mask of zeros and ones.

  Raises:
    CorruptBitstreamError: if it is of another network, or the mask is none.
  """
  masks = jax.tree.leaves(outer.mask)
  size = sum(mask.size for mask in masks)
  if stored.shape != (size,) or stored.dtype != bool or not stored.any():
    raise errors.CorruptBitstreamError(
      f"array stored of the model is {stored.dtype} {list(stored.shape)} with "
      f"{np.count_nonzero(stored)} true, not bool [{size}] with some"
    )
  if not all(np.isin(np.asarray(mask), (0, 1)).all() for mask in masks):
    raise errors.CorruptBitstreamError(
      "the model's mask holds other values than 0 and 1"
    )


def check_sparse_coder(
  coder: sparse_weights.SparseCoder, length: int, may_prune: np.ndarray
) -> None:
  """Checks the arrays of a coder of weights.

  Args:
    coder: the coder.
    length: L, parameters that are stored.
    may_prune: `[L]` bool, those that tiles may prune.

  Raises:
    CorruptBitstreamError: if an array is of another type or shape, or holds
      what it cannot; names it.
  """
  _check_floats("change/mean", coder.mean, (length,))
  _check_floats("change/scale", coder.scale, (length,))
  _check_integers("change/level", coder.level, np.int16, (length,))
  if not (
    0 < coder.base_step < float("inf")
    and 0 < coder.rounding <= 0.5
    and -0.5 <= coder.shift <= 0.5
    and np.all(coder.scale > 0)
    and np.abs(coder.level.astype(int)).max() <= sparse_weights.MAX_LEVEL
  ):
    raise errors.CorruptBitstreamError(
      f"step {coder.base_step}, rounding {coder.rounding} and shift "
      f"{coder.shift}, or the parameters' scales and levels, are no quantiser's"
    )
  _check_num_tables(coder.tables.num_tables, sparse_weights.NUM_CLASSES)
  _check_num_tables(coder.shift_tables.num_tables, 1)
  if coder.prunes != bool(may_prune.any()):
    raise errors.CorruptBitstreamError(
      "the model prunes while fitting, and has no tables for patterns, or "
      "the other way round"
    )
  if coder.survival_tables is not None:
    classes = coder.survival
    _check_integers("survival/class", classes, np.int16, (length,))
    if (
      np.any((classes >= 0) != may_prune)
      or classes.max() >= coder.survival_tables.num_tables
    ):
      raise errors.CorruptBitstreamError(
        "array survival/class of the model does not fit what may be pruned"
      )


def _check_transform_coder(coder: coders.TransformCoder, length: int) -> None:
  num_codes = len(coder.transform.deviation)
  shapes = {
    "mean": (length,),
    "analysis": (num_codes, length),
    "synthesis": (length, num_codes),
    "deviation": (num_codes,),
  }
  for name, shape in shapes.items():
    array = getattr(coder.transform, name)
    _check_floats(f"transform/{name}", array, shape)
  if not (0 < coder.rounding <= 0.5 and -0.5 <= coder.shift <= 0.5):
    raise errors.CorruptBitstreamError(
      f"rounding {coder.rounding} and shift {coder.shift} are no quantiser's"
    )
  _check_context(coder.model, num_codes)


def _check_context(model: context.ContextModel, num_codes: int) -> None:
  n = num_codes
  ends = model.group_ends
  _check_integers("context/group_ends", ends, np.int32, (ends.size,))
  if not ends.size or ends[-1] != n or np.diff(ends, prepend=0).min() < 1:
    raise errors.CorruptBitstreamError(
      f"the groups of the context model do not divide {n} codes"
    )
  # Sums of products stay exact in float64 because the factors are this short.
  for name, dtype, shape in (
    ("bias", np.int32, (4, n)),
    ("step_slope", np.int32, (n,)),
    ("own", np.int16, (n, n)),
    ("neighbours", np.int16, (context.NUM_DIRECTIONS, n, n)),
    ("same", np.int16, (4, context.NUM_DIRECTIONS, n)),
    ("mean", np.int16, (4, context.NUM_DIRECTIONS, n)),
  ):
    _check_integers(f"context/{name}", getattr(model, name), dtype, shape)
  _check_num_tables(model.tables.num_tables, context.NUM_CLASSES)


def _check_fixed_width_coder(
  coder: coders.FixedWidthCoder, length: int
) -> None:
  quantizer = coder.quantizer
  for name in ("mean", "deviation"):
    array = getattr(quantizer, name)
    _check_floats(f"fixed_width/{name}", array, (length,))
  if not (
    1 <= quantizer.num_bits <= _MAX_BITS
    and 0 < quantizer.num_deviations < float("inf")
  ):
    raise errors.CorruptBitstreamError(
      f"{quantizer.num_bits} bits over {quantizer.num_deviations} deviations"
      " are no quantiser's"
    )
  _check_num_tables(coder.tables.num_tables, length)


def _check_num_tables(found: int, expected: int) -> None:
  if found != expected:
    raise errors.CorruptBitstreamError(
      f"the model has {found} frequency tables, its coder needs {expected}"
    )


def _check_floats(name: str, array: Any, shape: tuple[int, ...]) -> None:
  """Raises unless an array is of a shape, floating point and finite."""
  # bfloat16 is of no kind that NumPy knows.
  floating = jax.numpy.issubdtype(array.dtype, jax.numpy.floating)
  if array.shape != tuple(shape) or not floating:
    raise errors.CorruptBitstreamError(
      f"array {name} of the model is {array.dtype} {list(array.shape)}, not"
      f" floating point {list(shape)}"
    )
  if not np.isfinite(np.asarray(array, np.float64)).all():
    raise errors.CorruptBitstreamError(
      f"array {name} of the model is not finite"
    )


def _check_integers(
  name: str, array: Any, dtype: type[np.integer], shape: tuple[int, ...]
) -> None:
  """Raises unless an array is of a shape and an integer type."""
  if array.shape != shape or array.dtype != dtype:
    raise errors.CorruptBitstreamError(
      f"array {name} of the model is {array.dtype} {list(array.shape)}, not"
      f" {np.dtype(dtype)} {list(shape)}"
    )


def _by_path(trees: dict[str, Any]) -> dict[str, Any]:
  leaves, _ = jax.tree_util.tree_flatten_with_path(trees)
  return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
