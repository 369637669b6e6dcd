"""From an image to symbols: fitting weights, and rounding them to good effect.

A network's weights act together, so rounding one changes what the others should
be. The rounds here keep the exact codes beside the rounded ones and move them
down the gradient of the error at what would be decoded, with Adam. Of all
iterates the one with the least distortion + lambda rate is kept, tile by tile.
"""

from typing import NamedTuple

import numpy as np

from inrjax.codec import sparse_network, sparse_weights, tiling
from inrjax.coords import patches

# Adam on the codes, in steps of the quantiser; the rate falls to zero. Steps
# finer than those of this setting do not slow it down.
_RATE = 0.3
_FINEST = 56
_DECAYS = (0.9, 0.99)
_EPSILON = 1e-12


class Start(NamedTuple):
  """One fit of the network, and what is spent on rounding it.

  Attributes:
    extra: fraction of the model's number of steps that the fit goes beyond it.
    rounds: rounds of rounding, each with a gradient.
  """

  extra: float
  rounds: int


# Each effort holds the starts of the one before, so it can only be better.
EFFORTS: dict[str, tuple[Start, ...]] = {
  "fast": (Start(0, 0),),
  "medium": (Start(0, 30),),
  "slow": (Start(0, 30), Start(2, 100)),
}


class SparseEncoder:
  """Fits an image once, and rounds it at any step size."""

  def __init__(
    self,
    network: sparse_network.SparseNetwork,
    coder: sparse_weights.SparseCoder,
    unit: np.ndarray,
    effort: str,
  ) -> None:
    """Fits the image.

    Args:
      network: the trained network.
      coder: from changes to symbols.
      unit: `[H, W, C]` float32 in [0, 1].
      effort: one of `EFFORTS`.

    Raises:
      CodecError: if the fit diverges.
    """
    self._network = network
    self._coder = coder
    self._starts = EFFORTS[effort]
    self._grid = tiling.tile_grid(unit.shape, network.spec.side)
    self._tiles = patches.to_patches(unit, network.spec.side)
    self._fits = [
      network.fit(
        self._tiles, extra_steps=round(start.extra * network.spec.num_steps)
      )
      for start in self._starts
    ]

  def symbols(self, t: int) -> np.ndarray:
    """`[rows, columns, L']` symbols at a setting.

    More effort never gives a larger distortion + lambda rate, with the rate
    that the entropy model estimates.
    """
    best, lowest = None, None
    for fast, start in zip(self._fits, self._starts, strict=True):
      symbols, cost = self._rounded(fast, start.rounds, t)
      if best is None or lowest is None:
        best, lowest = symbols, cost
      else:
        best = np.where((cost < lowest)[:, None], symbols, best)
        lowest = np.minimum(cost, lowest)
    assert best is not None
    return best.reshape(*self._grid, -1)

  def _rounded(
    self, fast: np.ndarray, rounds: int, t: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """`[n, L']` symbols, and distortion + lambda rate of every tile, `[n]`."""
    coder = self._coder
    symbols = coder.quantise(fast, t)
    if not rounds:
      return symbols, np.zeros(len(fast))  # Nothing to compare with.
    trade_off = coder.trade_off(t)
    codes = coder.codes(fast, t)
    best, lowest = symbols, np.full(len(fast), np.inf)
    rate = _RATE * coder.step(min(t, _FINEST)) / coder.step(t)
    first, second = np.zeros_like(codes), np.zeros_like(codes)
    for number in range(rounds + 1):
      error, gradient = self._network.error_and_gradient(
        coder.dequantise(symbols, t), self._tiles
      )
      cost = error + trade_off * coder.cost(symbols, t)
      better = cost < lowest
      best = np.where(better[:, None], symbols, best)
      lowest = np.minimum(cost, lowest)
      if number == rounds:
        break
      slope = gradient[:, : coder.length] * coder.scale * coder.step(t)
      first += (1 - _DECAYS[0]) * (slope - first)
      second += (1 - _DECAYS[1]) * (np.square(slope) - second)
      corrected = [
        moment / (1 - decay ** (number + 1))
        for moment, decay in zip((first, second), _DECAYS, strict=True)
      ]
      size = rate * (1 - number / rounds)
      codes -= size * corrected[0] / (np.sqrt(corrected[1]) + _EPSILON)
      symbols = coder.improve(codes, symbols, t)
    return best, lowest
