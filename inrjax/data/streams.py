"""Random numbers of procedural data: by seed, split and index alone."""

import dataclasses

import numpy as np

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Stream:
  """One generator of random numbers for each image of a split.

  No two images, splits or seeds share one, and an image does not depend on how
  many there are or on the order in which they are asked for.

  Attributes:
    split: one of `SPLITS`.
    num_images: how many images the split has.
    seed: at least 0.
  """

  split: str
  num_images: int
  seed: int = 0

  def __post_init__(self) -> None:
    if self.split not in SPLITS:
      raise ValueError(f"split must be one of {SPLITS}, got {self.split!r}.")
    if self.num_images < 1:
      raise ValueError(f"num_images must be at least 1, got {self.num_images}.")
    if self.seed < 0:
      raise ValueError(f"seed must be at least 0, got {self.seed}.")

  def generator(self, index: int) -> np.random.Generator:
    """The generator of an image, at its start.

    Args:
      index: in `[0, num_images)`.

    Raises:
      IndexError: for an index outside.
    """
    if not 0 <= index < self.num_images:
      raise IndexError(f"Index {index} of {self.num_images} images.")
    place = (SPLITS.index(self.split), index)
    seeds = np.random.SeedSequence(self.seed, spawn_key=place)
    return np.random.Generator(np.random.Philox(seeds))
