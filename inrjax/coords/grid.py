"""Coordinate grids."""

import numpy as np


def grid(
  shape: tuple[int, ...], *, low: float = -1.0, high: float = 1.0
) -> np.ndarray:
  """Cell centres of a regular grid, every axis scaled to [low, high].

  The centres of n cells lie at low + (high - low) (i + 1/2) / n, so a grid of
  another resolution samples the same extent.

  Differs from the papers: COIN and COIN++ put the first and last points on the
  boundary; with centres, decoding at another scale does not shift the image.

  Args:
    shape: points per axis.
    low: start of the extent.
    high: end of the extent.

  Returns:
    `[N, D]` float32 in row-major order, N the product of `shape`.

  Raises:
    ValueError: for an empty axis or an empty range.
  """
  if not shape or min(shape) < 1:
    raise ValueError(f"shape must have positive axes, got {shape}.")
  if not low < high:
    raise ValueError(f"low must be below high, got {low} and {high}.")
  axes = [low + (high - low) * (np.arange(n) + 0.5) / n for n in shape]
  points = np.meshgrid(*axes, indexing="ij")
  return np.stack([p.ravel() for p in points], axis=-1).astype(np.float32)
