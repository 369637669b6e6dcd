"""What the encoder chooses, with a network and a coder that are made up."""

import types

import numpy as np
import pytest

from inrjax.codec import tile_encoder

SIDE = 2
# Costs of two neighbouring tiles by their symbols: each tile likes another
# round, and their favourites do not go together.
OWN_COST = np.array([[1.0, 2.0, 4.0, 4.0, 4.0], [2.0, 1.0, 4.0, 4.0, 4.0]])
CLASH = 10.0


class _Network:
  """Fits a tile to the number of extra steps; errors are told, not computed."""

  spec = types.SimpleNamespace(side=SIDE)

  def __init__(self, errors):
    self._errors = errors

  def fit(self, tiles, *, extra_steps):
    return np.full((len(tiles), 1), float(extra_steps))

  def error_and_gradient(self, fast, tiles):
    assert len(fast) == len(tiles)
    return np.array([self._errors[int(f)] for f in fast[:, 0]]), fast


class _Coder:
  """Starts at ten times the extra steps and adds one each round."""

  def __init__(self, clash):
    self._clash = clash

  def quantise(self, fast, grid, t):
    return np.rint(10 * fast).astype(int).reshape(*grid, 1)

  def dequantise(self, symbols, t):
    return symbols.astype(float)

  def improve(self, symbols, gradient, t):
    return symbols + 1

  def trade_off(self, t):
    return 1.0

  def cost(self, symbols, t):
    rounds = symbols[0, :, 0] % 10
    bits = OWN_COST[[0, 1], np.minimum(rounds, 4)]
    clash = self._clash if rounds[0] != rounds[1] else 0.0
    return (bits + clash)[None]


def chosen(effort, clash, errors=None):
  """Symbols of an image of two tiles; errors by symbol, 0 unless told."""
  table = dict.fromkeys(range(100), 0.0) | (errors or {})
  encoder = tile_encoder.TileEncoder(
    _Network(table),
    _Coder(clash),
    np.zeros((SIDE, 2 * SIDE, 3), np.float32),
    effort,
  )
  return encoder.symbols(0).ravel().tolist()


def test_without_effort_values_are_rounded_once():
  assert chosen("fast", 0.0, {0: 100.0}) == [0, 0]


def test_every_tile_takes_its_best_round():
  # fails if the last round, or the image's best, is taken for every tile.
  assert chosen("medium", 0.0) == [0, 1]


def test_tiles_that_do_not_go_together_are_not_put_together():
  # fails if the rate of the tiles together is not looked at.
  assert chosen("medium", CLASH) in ([0, 0], [1, 1])


def test_the_error_counts_as_well_as_the_rate():
  # fails if the choice is by rate alone, or the last round is not looked at.
  errors = dict.fromkeys(range(4), 50.0)
  assert chosen("medium", CLASH, errors) == [4, 4]


@pytest.mark.parametrize(("better", "expected"), [(0, [0, 1]), (30, [30, 31])])
def test_the_better_start_is_taken(better, expected):
  worse = 30 - better
  errors = {worse + number: 5.0 for number in range(21)}
  # fails if more steps are believed to be better.
  assert chosen("slow", 0.0, errors) == expected


def test_each_effort_holds_the_one_before():
  efforts = list(tile_encoder.EFFORTS.values())
  for less, more in zip(efforts[1:], efforts[2:], strict=False):
    assert set(less) < set(more)
