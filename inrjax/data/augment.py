"""Random changes to training crops that leave them natural images."""

import types
from collections.abc import Callable

import numpy as np

# (generator, crops [k, h, w, C]) -> crops [k, h, w, C].
Augmentation = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def flip(rng: np.random.Generator, crops: np.ndarray) -> np.ndarray:
  """Mirrors each crop left to right with probability one half.

  Args:
    rng: source of randomness.
    crops: `[k, h, w, C]`.

  Returns:
    `[k, h, w, C]`, a new array.
  """
  chosen = rng.random(len(crops)) < 0.5
  return np.where(chosen[:, None, None, None], crops[:, :, ::-1], crops)


def transpose(rng: np.random.Generator, crops: np.ndarray) -> np.ndarray:
  """Swaps the rows and columns of each crop with probability one half.

  With `flip`, and the flips it turns into vertical ones, all eight symmetries
  of the square appear.

  Args:
    rng: source of randomness.
    crops: `[k, h, w, C]` with h = w.

  Returns:
    `[k, h, w, C]`, a new array.

  Raises:
    ValueError: if crops are not square.
  """
  if crops.shape[1] != crops.shape[2]:
    raise ValueError(
      f"transpose needs square crops, got {crops.shape[1:3]}; set crop_size."
    )
  chosen = rng.random(len(crops)) < 0.5
  swapped = crops.transpose(0, 2, 1, 3)
  return np.where(chosen[:, None, None, None], swapped, crops)


AUGMENTATIONS: types.MappingProxyType[str, Augmentation] = (
  types.MappingProxyType({"flip": flip, "transpose": transpose})
)
