"""Runs of zeros: every pattern comes back, at the price of its flags."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrjax.codec import entropy, errors, latent_runs


def _encode(changes, probability):
  tables = latent_runs.run_tables([0.5, probability])
  cap = latent_runs.run_cap(probability)
  runs = latent_runs.to_runs(changes, cap)
  encoder = entropy.Encoder()
  encoder.encode(runs, np.ones(len(runs), int), tables)
  return encoder.finish()


def _decode(data, count, probability):
  tables = latent_runs.run_tables([0.5, probability])
  cap = latent_runs.run_cap(probability)
  decoder = entropy.Decoder(data)
  changes = latent_runs.decode_runs(decoder, count, 1, tables, cap)
  decoder.finish()
  return changes


@given(
  st.lists(st.booleans(), max_size=40),
  st.integers(0, 60),
  st.sampled_from([0.9, 0.3, 0.1, 0.003]),
)
def test_round_trip(flags, zeros, probability):
  changes = np.array(flags + [False] * zeros + flags, bool)
  # Fails at a run of exactly the cap, at the end, or if nothing changes.
  again = _decode(_encode(changes, probability), changes.size, probability)
  np.testing.assert_array_equal(again, changes)


@pytest.mark.parametrize("probability", [0.7, 0.04, 0.004, 0.0005])
def test_price_is_that_of_flags(probability):
  changes = np.random.default_rng(0).random(300_000) < probability
  count = np.count_nonzero(changes)
  bits = -count * np.log2(probability)
  bits -= (changes.size - count) * np.log2(1 - probability)
  size = 8 * len(_encode(changes, probability))
  # Fails if a run's probability is not that of its flags.
  assert abs(size - bits) <= 0.001 * bits + 10


def test_changes_beyond_the_last_are_refused():
  changes = np.zeros(100, bool)
  changes[90] = True
  data = _encode(changes, 0.1)
  with pytest.raises(errors.CorruptBitstreamError):
    _decode(data, 90, 0.1)
