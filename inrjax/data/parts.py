"""Parts of sources: the signals of a split, and blocks out of signals."""

import itertools
from collections.abc import Sequence

import numpy as np

from inrjax.data import inventory, streams


class Part:
  """Some signals of a source, in an order of their own."""

  def __init__(self, source: inventory.Source, indices: Sequence[int]):
    """Keeps the source and the indices.

    Args:
      source: where signals come from.
      indices: in `[0, len(source))`; at least one.

    Raises:
      ValueError: for no indices, or one outside.
    """
    self._indices = tuple(int(index) for index in indices)
    if not self._indices:
      raise ValueError("indices must not be empty.")
    low, high = min(self._indices), max(self._indices)
    if low < 0 or high >= len(source):
      raise ValueError(
        f"indices must be in [0, {len(source)}), got {low} to {high}."
      )
    self._source = source

  def __len__(self) -> int:
    return len(self._indices)

  def __getitem__(self, index: int) -> np.ndarray:
    """The signal at an index of the part."""
    if not 0 <= index < len(self):
      raise IndexError(f"Index {index} of {len(self)} signals.")
    return np.asarray(self._source[self._indices[index]])


def divide(
  source: inventory.Source, sizes: Sequence[int], *, seed: int | None = None
) -> tuple[Part, ...]:
  """Parts that share no signal, such as those for training and testing.

  Args:
    source: the signals.
    sizes: of the parts; their sum may be less than there are.
    seed: of a random order in which they are taken, as of COIN++'s 565 and 212
      scans; None takes them in order, which keeps neighbours in time together.

  Returns:
    One part for each size; each keeps the source's order.

  Raises:
    ValueError: for a size below 1, or too few signals.
  """
  if not sizes or min(sizes) < 1 or sum(sizes) > len(source):
    raise ValueError(
      f"sizes must be positive and sum to at most {len(source)}, the number of "
      f"signals, got {tuple(sizes)}."
    )
  order = np.arange(len(source))
  if seed is not None:
    order = np.random.default_rng(seed).permutation(order)
  ends = list(itertools.accumulate(sizes, initial=0))
  return tuple(
    Part(source, sorted(order[start:end].tolist()))
    for start, end in itertools.pairwise(ends)
  )


class RandomBlocks:
  """Blocks cut from the signals of a source, at random places.

  COIN++ learns sound from 200 to 1600 samples and MRI from 16 x 16 x 16 voxels
  (thesis C.3.3, C.3.5). The same index gives the same block. Put a
  `CachedSource` around signals that take long to read.
  """

  def __init__(
    self,
    source: inventory.Source,
    sides: Sequence[int],
    *,
    num_blocks: int,
    seed: int = 0,
    split: str = "train",
  ):
    """Chooses a stream of places.

    Args:
      source: signals `[*shape, C]` of any sizes.
      sides: of a block, one for each axis before the channels.
      num_blocks: how many from each signal; neighbours have the same signal.
      seed: of the places.
      split: "train", "validation" or "test", whose places differ.

    Raises:
      ValueError: for a value outside its range.
    """
    if num_blocks < 1:
      raise ValueError(f"num_blocks must be at least 1, got {num_blocks}.")
    if not sides or min(sides) < 1:
      raise ValueError(f"sides must be at least 1, got {tuple(sides)}.")
    self._source = source
    self._sides = tuple(sides)
    self._num_blocks = num_blocks
    self._stream = streams.Stream(split, num_blocks * len(source), seed)

  def __len__(self) -> int:
    return self._stream.num_images

  def __getitem__(self, index: int) -> np.ndarray:
    """The block `[*sides, C]` at an index.

    A signal that is smaller is first continued by reflection.

    Raises:
      ValueError: for a signal with another number of axes.
    """
    if not 0 <= index < len(self):
      raise IndexError(f"Index {index} of {len(self)} blocks.")
    signal = np.asarray(self._source[index // self._num_blocks])
    if signal.ndim != len(self._sides) + 1:
      raise ValueError(
        f"A block of {self._sides} needs signals of {len(self._sides)} axes "
        f"and channels, got {signal.shape}."
      )
    missing = [
      (0, max(0, side - n))
      for side, n in zip(self._sides, signal.shape[:-1], strict=True)
    ]
    signal = np.pad(signal, [*missing, (0, 0)], mode="symmetric")
    rng = self._stream.generator(index)
    starts = [
      rng.integers(n - side + 1)
      for side, n in zip(self._sides, signal.shape[:-1], strict=True)
    ]
    box = tuple(
      slice(start, start + side)
      for start, side in zip(starts, self._sides, strict=True)
    )
    return signal[box]
