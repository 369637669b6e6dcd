"""Batches of any type on their way through an inner step.

`inrjax.adapt.gradient.mixed_mode` differentiates all that it is given and so
takes floating-point leaves alone; a batch of images has integer labels, or
one-bit masks, or a random key beside it. `as_floating` carries them across,
16 bits in each float32, without loss.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from inrjax.types import Array, PyTree


def stack(*batches: PyTree) -> PyTree:
  """Batches of one shape along a new leading axis."""
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *batches)


def check_num(batches: PyTree, expected: int) -> None:
  """Checks the number of batches stacked along the leading axes.

  Raises:
    ValueError: if a leaf has another number than expected, or no axis.
  """
  for leaf in jax.tree.leaves(batches):
    if not leaf.shape or leaf.shape[0] != expected:
      raise ValueError(
        f"The saliency needs {expected} batches stacked along the leading axis"
        f" of every leaf (see `batches.stack`), got a leaf of {leaf.shape}."
      )


def only(batches: PyTree) -> PyTree:
  """The batch where there is one, without its leading axis.

  Raises:
    ValueError: if there is another number of batches.
  """
  check_num(batches, 1)
  return jax.tree.map(lambda leaf: leaf[0], batches)


def as_floating(batch: PyTree) -> tuple[PyTree, Callable[[PyTree], PyTree]]:
  """Writes every leaf as floating-point numbers.

  Args:
    batch: arrays, random keys among them.

  Returns:
    The floating-point leaves, and a function from them back to the batch. The
    function may be used on any slice along leading axes of the leaves.
  """
  leaves, treedef = jax.tree.flatten(batch)
  pairs = [_as_floating(leaf) for leaf in leaves]

  def restore(floats: PyTree) -> PyTree:
    return jax.tree.unflatten(
      treedef,
      [back(leaf) for leaf, (_, back) in zip(floats, pairs, strict=True)],
    )

  return [leaf for leaf, _ in pairs], restore


def _as_floating(leaf: Any) -> tuple[Array, Callable[[Array], Array]]:
  leaf = jnp.asarray(leaf)
  dtype = leaf.dtype
  if jnp.issubdtype(dtype, jax.dtypes.prng_key):
    impl = jax.random.key_impl(leaf)
    data, back = _as_floating(jax.random.key_data(leaf))
    return data, lambda x: jax.random.wrap_key_data(back(x), impl=impl)
  if jnp.issubdtype(dtype, jnp.floating):
    return leaf, lambda x: x
  if jnp.issubdtype(dtype, jnp.complexfloating):
    raise ValueError("A batch cannot hold complex numbers; split them in two.")
  if dtype.itemsize <= 2:
    return leaf.astype(jnp.float32), lambda x: x.astype(dtype)
  # Two or four numbers of 16 bits along a new last axis.
  pieces = jax.lax.bitcast_convert_type(leaf, jnp.uint16)
  assert math.prod(pieces.shape) * 2 == leaf.size * dtype.itemsize
  return pieces.astype(jnp.float32), lambda x: jax.lax.bitcast_convert_type(
    x.astype(jnp.uint16), dtype
  )
