"""From an image to symbols: fitting, and rate-distortion optimised rounding."""

from typing import NamedTuple

import numpy as np

from inrjax.codec import coders, tile_network, tiling
from inrjax.coords import patches


class Start(NamedTuple):
  """One fit of the network, and what is spent on rounding it.

  Attributes:
    extra_steps: inner steps beyond the model's own.
    rounds: rounds of rate-distortion optimised rounding, each with a gradient
      of the reconstruction at what would be decoded.
  """

  extra_steps: int
  rounds: int


# Each effort holds the starts of the one before, so it can only be better.
EFFORTS: dict[str, tuple[Start, ...]] = {
  "fast": (Start(0, 0),),
  "medium": (Start(0, 4),),
  "slow": (Start(0, 4), Start(3, 20)),
}


class TileEncoder:
  """Fits an image once, and rounds it at any step size."""

  def __init__(
    self,
    network: tile_network.TileNetwork,
    coder: coders.Coder,
    unit: np.ndarray,
    effort: str,
  ) -> None:
    """Fits the image.

    Args:
      network: the trained network.
      coder: from fast parameters to symbols.
      unit: `[H, W, C]` float32 in [0, 1].
      effort: one of `EFFORTS`.
    """
    self._network = network
    self._coder = coder
    self._starts = EFFORTS[effort]
    spec = network.spec
    self._grid = tiling.tile_grid(unit.shape, spec.side)
    self._tiles = patches.to_patches(unit, spec.side)
    self._fits = [
      network.fit(self._tiles, extra_steps=start.extra_steps)
      for start in self._starts
    ]

  def symbols(self, t: int) -> np.ndarray:
    """`[rows, columns, L']` symbols at a step index.

    More effort never gives a larger distortion + lambda rate, with the rate
    that the entropy model estimates.
    """
    results = [
      self._rounded(fast, start.rounds, t)
      for fast, start in zip(self._fits, self._starts, strict=True)
    ]
    return min(results, key=lambda result: result[0])[1]

  def _rounded(
    self, fast: np.ndarray, rounds: int, t: int
  ) -> tuple[float, np.ndarray]:
    """Distortion + lambda rate of the whole image, and its symbols."""
    symbols = self._coder.quantise(fast, self._grid, t)
    if not rounds:
      return 0.0, symbols  # Nothing to compare with.
    trade_off = self._coder.trade_off(t)
    candidates = []
    best, best_error = symbols, np.full(self._grid, np.inf)
    best_cost = best_error
    for number in range(rounds + 1):
      error, gradient = self._error_and_gradient(symbols, t)
      cost = error + trade_off * self._coder.cost(symbols, t)
      better = cost < best_cost
      best = np.where(better[..., None], symbols, best)
      best_error = np.where(better, error, best_error)
      best_cost = np.where(better, cost, best_cost)
      # A tile's rate depends on its neighbours: what is best tile by tile need
      # not be best together.
      rate = self._coder.cost(best, t).sum()
      together = float(best_error.sum() + trade_off * rate)
      candidates += [(float(cost.sum()), symbols), (together, best)]
      candidates = [min(candidates, key=lambda candidate: candidate[0])]
      if number < rounds:
        before = symbols
        symbols = self._coder.improve(before, gradient, t)
        if np.array_equal(symbols, before):
          break
    return candidates[0]

  def _error_and_gradient(
    self, symbols: np.ndarray, t: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """`[rows, columns]` mean squared errors and `[rows columns, L]`."""
    flat = symbols.reshape(-1, symbols.shape[-1])
    fast = self._coder.dequantise(flat, t)
    error, gradient = self._network.error_and_gradient(fast, self._tiles)
    return error.reshape(self._grid), gradient
