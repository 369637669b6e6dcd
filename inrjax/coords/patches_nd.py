"""Cutting signals of one, two or three axes into blocks, and back.

`patches` is the case of two axes and equal sides. COIN++ cuts sound into 200
to 1600 samples and MRI into 16 x 16 x 16 voxels (thesis C.3.3, C.3.5).
"""

import math
from collections.abc import Sequence

import numpy as np


def block_counts(shape: Sequence[int], sides: Sequence[int]) -> tuple[int, ...]:
  """How many blocks along each axis cover a signal.

  Args:
    shape: of the signal, without channels.
    sides: of a block, one per axis.

  Returns:
    One number per axis.

  Raises:
    ValueError: for an empty axis, an empty block, or another number of axes.
  """
  if not shape or len(shape) != len(sides):
    raise ValueError(
      f"A block needs one side per axis; the shape is {tuple(shape)} and the "
      f"sides are {tuple(sides)}."
    )
  if min(shape) < 1:
    raise ValueError(f"The signal is empty: {tuple(shape)}.")
  if min(sides) < 1:
    raise ValueError(f"sides must be at least 1, got {tuple(sides)}.")
  return tuple(math.ceil(n / s) for n, s in zip(shape, sides, strict=True))


def to_blocks(signal: np.ndarray, sides: Sequence[int]) -> np.ndarray:
  """Non-overlapping blocks, in row-major order of where they lie.

  The end of an axis that the blocks do not fit is continued by reflection.

  Args:
    signal: `[*shape, C]`, with as many axes before the channels as `sides` has.
    sides: of a block.

  Returns:
    `[num_blocks, *sides, C]`.

  Raises:
    ValueError: as `block_counts`.
  """
  shape, num_axes = signal.shape[:-1], len(sides)
  counts = block_counts(shape, sides)
  widths = [
    (0, c * s - n) for c, s, n in zip(counts, sides, shape, strict=True)
  ]
  padded = np.pad(signal, [*widths, (0, 0)], mode="symmetric")
  # Axes (count, side) pairwise, then all counts before all sides.
  pairs = [side for pair in zip(counts, sides, strict=True) for side in pair]
  split = padded.reshape(*pairs, signal.shape[-1])
  order = [*range(0, 2 * num_axes, 2), *range(1, 2 * num_axes, 2), 2 * num_axes]
  return split.transpose(order).reshape(-1, *sides, signal.shape[-1])


def from_blocks(blocks: np.ndarray, shape: Sequence[int]) -> np.ndarray:
  """The signal whose blocks these are; the inverse of `to_blocks`.

  Args:
    blocks: `[num_blocks, *sides, C]`.
    shape: of the signal, without channels and without padding.

  Returns:
    `[*shape, C]`.

  Raises:
    ValueError: if the number of blocks does not fit the shape.
  """
  sides, num_axes = blocks.shape[1:-1], len(shape)
  counts = block_counts(shape, sides)
  if len(blocks) != math.prod(counts):
    raise ValueError(
      f"{len(blocks)} blocks of {tuple(sides)} do not make a signal of "
      f"{tuple(shape)}; that takes {math.prod(counts)}."
    )
  split = blocks.reshape(*counts, *sides, blocks.shape[-1])
  order = [i for axis in range(num_axes) for i in (axis, num_axes + axis)]
  padded = split.transpose(*order, 2 * num_axes).reshape(
    *(c * s for c, s in zip(counts, sides, strict=True)), blocks.shape[-1]
  )
  return padded[tuple(slice(n) for n in shape)]
