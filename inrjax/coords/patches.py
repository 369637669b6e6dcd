"""Cutting images into square patches, and putting them together again."""

import math

import numpy as np


def grid_shape(height: int, width: int, side: int) -> tuple[int, int]:
  """Rows and columns of patches that cover an image."""
  if min(height, width) < 1:
    raise ValueError(f"The image is empty: {height} x {width}.")
  if side < 1:
    raise ValueError(f"side must be at least 1, got {side}.")
  return math.ceil(height / side), math.ceil(width / side)


def pad_to_multiple(image: np.ndarray, side: int) -> np.ndarray:
  """Extends an image by reflection at its lower and right borders.

  Args:
    image: `[H, W, C]`, any positive size; an image thinner than the padding is
      reflected more than once.
    side: P.

  Returns:
    `[rows P, columns P, C]`.
  """
  height, width = image.shape[:2]
  rows, columns = grid_shape(height, width, side)
  return np.pad(
    image,
    ((0, rows * side - height), (0, columns * side - width), (0, 0)),
    mode="symmetric",
  )


def to_patches(image: np.ndarray, side: int) -> np.ndarray:
  """Non-overlapping patches of an image, in raster order.

  Args:
    image: `[H, W, C]`.
    side: P.

  Returns:
    `[rows columns, P, P, C]`.
  """
  padded = pad_to_multiple(image, side)
  rows, columns = padded.shape[0] // side, padded.shape[1] // side
  split = padded.reshape(rows, side, columns, side, padded.shape[2])
  return split.swapaxes(1, 2).reshape(rows * columns, side, side, -1)


def from_patches(patches: np.ndarray, height: int, width: int) -> np.ndarray:
  """The image whose patches these are; the inverse of `to_patches`.

  Args:
    patches: `[rows columns, P, P, C]` in raster order; P may differ from the
      side the image was cut with when `height` and `width` do in proportion.
    height: H of the image, without padding.
    width: W.

  Returns:
    `[H, W, C]`.

  Raises:
    ValueError: if the number of patches does not fit the size.
  """
  side = patches.shape[1]
  rows, columns = grid_shape(height, width, side)
  if len(patches) != rows * columns:
    raise ValueError(
      f"{len(patches)} patches of side {side} do not make an image of "
      f"{height} x {width}; that takes {rows * columns}."
    )
  image = patches.reshape(rows, columns, side, side, -1).swapaxes(1, 2)
  return image.reshape(rows * side, columns * side, -1)[:height, :width]
