"""Splits of a source, and random blocks of signals."""

import grain
import numpy as np
import pytest

from inrjax.data import parts

SIGNALS = [np.full((2, 1), i) for i in range(10)]


def values(part):
  return [int(part[i][0, 0]) for i in range(len(part))]


def test_parts_share_nothing():
  # Fails if a part is taken from the wrong end, or two overlap.
  train, test = parts.divide(SIGNALS, (6, 3))
  assert values(train) == list(range(6)) and values(test) == [6, 7, 8]
  train, test = parts.divide(SIGNALS, (6, 4), seed=3)
  assert sorted(values(train) + values(test)) == list(range(10))
  assert values(train) != list(range(6))
  assert values(train) == values(parts.divide(SIGNALS, (6, 4), seed=3)[0])
  with pytest.raises(IndexError):
    test[4]


@pytest.mark.parametrize("sizes", [(), (0, 3), (6, 5)])
def test_impossible_sizes_are_refused(sizes):
  with pytest.raises(ValueError, match="at most 10"):
    parts.divide(SIGNALS, sizes)


def test_parts_outside_are_refused():
  with pytest.raises(ValueError, match="must be in"):
    parts.Part(SIGNALS, [3, 10])
  with pytest.raises(ValueError, match="empty"):
    parts.Part(SIGNALS, [])


def test_blocks_lie_anywhere_and_are_the_same_at_every_visit():
  # Fails if an end of an axis is never reached, or blocks depend on the visit.
  volume = np.arange(5 * 6 * 4).reshape(5, 6, 4, 1)
  source = parts.RandomBlocks([volume, -volume], (2, 5, 4), num_blocks=40)
  assert len(source) == 80
  corners = {int(source[i][0, 0, 0, 0]) for i in range(40)}
  assert corners == {24 * i + 4 * j for i in range(4) for j in range(2)}
  assert all(source[i].max() <= 0 for i in range(40, 80))
  block = source[7]
  start = int(block[0, 0, 0, 0])
  i, j = divmod(start // 4, 6)
  np.testing.assert_array_equal(block, volume[i : i + 2, j : j + 5])
  np.testing.assert_array_equal(source[7], block)
  other = parts.RandomBlocks([volume], (2, 5, 4), num_blocks=40, split="test")
  assert any(not np.array_equal(other[i], source[i]) for i in range(40))
  (batch,) = grain.MapDataset.source(source).batch(80)
  assert batch.shape == (80, 2, 5, 4, 1)


def test_short_signals_are_reflected():
  source = parts.RandomBlocks([np.arange(3)[:, None]], (5,), num_blocks=1)
  np.testing.assert_array_equal(source[0][:, 0], [0, 1, 2, 2, 1])


def test_impossible_blocks_are_refused():
  with pytest.raises(ValueError, match="num_blocks"):
    parts.RandomBlocks(SIGNALS, (2,), num_blocks=0)
  with pytest.raises(ValueError, match="sides"):
    parts.RandomBlocks(SIGNALS, (0,), num_blocks=1)
  with pytest.raises(ValueError, match="2 axes"):
    parts.RandomBlocks(SIGNALS, (2, 2), num_blocks=1)[0]
  with pytest.raises(IndexError):
    parts.RandomBlocks(SIGNALS, (2,), num_blocks=1)[10]
