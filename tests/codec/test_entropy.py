"""Entropy coding: round trips, size against the ideal, damage, fixed bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inrjax.codec import entropy, errors


def _encode(calls):
  encoder = entropy.Encoder()
  for symbols, index, tables in calls:
    encoder.encode(symbols, index, tables)
  return encoder.finish()


def _decode(data, calls):
  decoder = entropy.Decoder(data)
  decoded = [decoder.decode(index, tables) for _, index, tables in calls]
  decoder.finish()
  return decoded


def _tables(num_tables=8, radius=12):
  return entropy.laplace_tables(
    np.geomspace(0.05, 8.0, num_tables), radius=radius
  )


def _laplace(num, tables=None, seed=0, stretch=1.0):
  tables = tables or _tables()
  rng = np.random.default_rng(seed)
  index = rng.integers(0, tables.num_tables, num)
  scale = np.geomspace(0.05, 8.0, tables.num_tables)[index]
  symbols = np.rint(rng.laplace(size=num) * scale * stretch)
  return symbols.astype(np.int32), index.astype(np.int32), tables


_INT32 = st.integers(-(2**31), 2**31 - 1)


@settings(max_examples=100)
@given(st.data())
def test_round_trip_of_any_calls(data):
  calls = []
  for _ in range(data.draw(st.integers(0, 3))):
    counts = data.draw(
      st.lists(
        st.lists(st.integers(0, 50), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
      )
    )
    tables = entropy.from_counts(
      np.array(counts), offset=data.draw(st.integers(-2, 4)), precision=12
    )
    pairs = data.draw(
      st.lists(
        st.tuples(
          st.one_of(st.integers(-5, 5), _INT32),
          st.integers(0, tables.num_tables - 1),
        ),
        max_size=20,
      )
    )
    symbols, index = np.array(pairs, np.int64).reshape(-1, 2).T
    calls.append((symbols, index, tables))
  # fails if escapes, groups or calls are mirrored in another order
  decoded = _decode(_encode(calls), calls)
  for (symbols, _, _), again in zip(calls, decoded, strict=True):
    assert again.dtype == np.int32
    np.testing.assert_array_equal(again, symbols)


@given(st.integers(0, 32), st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_uniform_bits_round_trip(num_bits, seed, count):
  rng = np.random.default_rng(seed)
  values = rng.integers(0, 2**num_bits, count)
  symbols, index, tables = _laplace(5)
  encoder = entropy.Encoder()
  encoder.encode_uniform_bits(values, num_bits)
  encoder.encode(symbols, index, tables)
  decoder = entropy.Decoder(encoder.finish())
  # fails if the chunks of long values are swapped
  np.testing.assert_array_equal(
    decoder.decode_uniform_bits(count, num_bits), values
  )
  np.testing.assert_array_equal(decoder.decode(index, tables), symbols)
  decoder.finish()


def test_extreme_escapes():
  tables = _tables(1, 2)
  symbols = np.array([-(2**31), 2**31 - 1, 0, 2, 3, -2, -3])
  calls = [(symbols, np.zeros(7, np.int32), tables)]
  # fails if the excess overflows int32
  np.testing.assert_array_equal(_decode(_encode(calls), calls)[0], symbols)


@pytest.mark.parametrize("stretch", [1.0, 6.0])
def test_long_stream_costs_its_ideal_size(stretch):
  symbols, index, tables = _laplace(200_000, stretch=stretch)
  calls = [(symbols, index, tables)]
  data = _encode(calls)
  ideal = entropy.cost_bits(symbols, index, tables).sum()
  # fails if tables are permuted, rounded to fewer bits, or escapes cost more
  assert abs(8 * len(data) - ideal) <= 0.001 * ideal + 64
  np.testing.assert_array_equal(_decode(data, calls)[0], symbols)


def test_cost_is_the_entropy_of_matching_counts():
  rng = np.random.default_rng(3)
  symbols = rng.choice(6, p=[0.5, 0.2, 0.1, 0.1, 0.07, 0.03], size=50_000)
  counts = np.bincount(symbols + 1, minlength=8)
  tables = entropy.from_counts(counts[None], offset=1)
  p = counts[1:-1] / counts.sum()
  # fails if the logarithm is not to base 2 or the spare columns cost bits
  np.testing.assert_allclose(
    entropy.cost_bits(symbols, np.zeros(1, int), tables).mean(),
    -(p * np.log2(p)).sum(),
    rtol=1e-4,
  )


@pytest.mark.parametrize("seed", range(40))
def test_short_streams_are_as_short_as_can_be(seed):
  calls = [_laplace(1 + seed, seed=seed)]
  data = _encode(calls)
  ideal = entropy.cost_bits(*calls[0]).sum()
  # The final interval is 2^-ideal wide: one byte more always suffices.
  # fails if the trailing bytes are not dropped
  assert 8 * len(data) <= ideal + 8.01
  # No string one byte shorter decodes to the same, whatever its last byte.
  # fails if the last byte kept is never incremented
  if data:
    for last in range(256):
      shorter = data[:-2] + bytes([last] if len(data) > 1 else [])
      assert not _decodes_to_the_same(shorter, calls)


def _decodes_to_the_same(data, calls):
  """Whether the symbols survive, never mind that the bytes are unusual."""
  decoder = entropy.Decoder(data)
  try:
    return all(
      np.array_equal(decoder.decode(index, tables), symbols)
      for symbols, index, tables in calls
    )
  except errors.CorruptBitstreamError:
    return False


def test_certain_symbols_take_no_bytes():
  tables = entropy.from_counts(np.array([[0, 1, 0]]), offset=1, precision=24)
  calls = [(np.zeros(1000, int), np.zeros(1000, int), tables)]
  data = _encode(calls)
  assert len(data) <= 1
  np.testing.assert_array_equal(_decode(data, calls)[0], 0)


def test_every_truncation_and_junk_is_noticed():
  calls = [_laplace(60)]
  data = _encode(calls)
  for stop in range(len(data)):
    # fails if trailing bytes that matter are dropped
    assert not _decodes_to_the_same(data[:stop], calls)
  for junk in (b"\0", b"\1", b"junk" * 5):
    # fails if finish does not compare the bytes
    with pytest.raises(errors.CorruptBitstreamError, match="bytes given"):
      _decode(data + junk, calls)


def test_symbols_left_unread_are_noticed():
  symbols, index, tables = _laplace(60)
  decoder = entropy.Decoder(_encode([(symbols, index, tables)]))
  decoder.decode(index[:20], tables)
  with pytest.raises(errors.CorruptBitstreamError):
    decoder.finish()


def test_ten_thousand_damages_raise_nothing_else():
  calls = [_laplace(40, stretch=4.0)]
  data = _encode(calls)
  rng = np.random.default_rng(5)
  refused = 0
  for _ in range(10_000):
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 4)):
      damaged[rng.integers(len(data))] = rng.integers(256)
    damaged = damaged[: rng.integers(0, len(data) + 1)]
    damaged += rng.bytes(rng.integers(0, 6))
    try:
      _decode(bytes(damaged), calls)
    except errors.CorruptBitstreamError:
      refused += 1
  # fails if an error of constriction or numpy comes through (then it raises)
  assert 2000 < refused < 10_000


@pytest.mark.parametrize("fill", [b"\xff", b"\x00", b"\x80"])
def test_garbage_is_refused_in_bounded_time(fill):
  tables = _tables(1, 1)
  # Only escapes: the longest way through the decoder.
  index = np.zeros(10_000, np.int32)
  with pytest.raises(errors.CorruptBitstreamError):
    _decode(fill * 100_000, [(None, index, tables)])


def test_escape_beyond_int32_is_corrupt():
  tables = _tables(1, 1)
  encoder = entropy.Encoder()
  # An escape, then "a larger order" for ever: no caller can ask for it.
  only = entropy._groups(np.array([0]), 1)
  last_column = np.array([2], np.int32)
  encoder._append(last_column, np.zeros(0, np.int64), only, tables)
  encoder.encode_uniform_bits(np.ones(60, int), 1)
  decoder = entropy.Decoder(encoder.finish())
  with pytest.raises(errors.CorruptBitstreamError, match="int32"):
    decoder.decode(np.array([0]), tables)


def test_golden_bytes():
  # Made by printing these very calls; a change here is a change of format and
  # needs a new format version.
  tables = entropy.from_counts(
    np.array([[1, 4, 9, 4, 1], [3, 3, 30, 3, 1]]), offset=2, precision=16
  )
  np.testing.assert_array_equal(tables.freq[0], GOLDEN_FREQUENCIES)
  symbols = np.array([0, 1, -1, 0, 7, -300, 0, 0, 2, -2, 1, 0])
  index = np.arange(12) % 2
  encoder = entropy.Encoder()
  encoder.encode(symbols, index, tables)
  encoder.encode_uniform_bits(np.array([0xBEEF, 0x1234]), 20)
  # fails if the order of groups, escapes or bytes, or constriction, changes
  assert encoder.finish().hex() == GOLDEN_HEX


GOLDEN_FREQUENCIES = [3450, 13797, 31042, 13797, 3450]
GOLDEN_HEX = "62ed1f65b7d95885b58b6f68"


def test_counts_are_apportioned_exactly():
  rng = np.random.default_rng(7)
  counts = rng.integers(0, 2**40, (20, 31)) * (rng.random((20, 31)) < 0.6)
  counts[3] = 0
  for precision in (5, 16, 24):
    tables = entropy.from_counts(counts, offset=15, precision=precision)
    # FrequencyTables itself checks sums and positivity.
    budget = 2**precision - 31
    share = counts * (budget / np.maximum(counts.sum(1, keepdims=True), 1))
    share[3] = budget / 31
    # fails if remainders are not handed out, or to the wrong columns
    assert np.abs(tables.freq - 1.0 - share).max() <= 1.0 + 1e-6
  tie = entropy.from_counts(np.ones((1, 3), int), offset=1, precision=3)
  np.testing.assert_array_equal(tie.freq, [[3, 3, 2]])


@pytest.mark.parametrize(
  "build, survival",
  [
    (entropy.laplace_tables, lambda x: 0.5 * np.exp(-x)),
    (entropy.logistic_tables, lambda x: 1.0 / (1.0 + np.exp(x))),
  ],
)
def test_density_tables_hold_the_dead_zone_masses(build, survival):
  tables = build(np.array([0.7]), radius=3, rounding=0.3, precision=24)
  p = tables.freq[0] / 2.0**24
  # q = 1 holds 0.7 <= x < 1.7; q = 3 all x >= 2.7.
  # fails if the zone of zero is not 2 (1 - rounding) wide
  np.testing.assert_allclose(
    p[4], survival(1.0) - survival(1.7 / 0.7), rtol=1e-4
  )
  np.testing.assert_allclose(p[6], survival(2.7 / 0.7), rtol=1e-4)
  np.testing.assert_allclose(p, p[::-1], atol=2.0**-24)


def test_cost_counts_escape_bits():
  tables = _tables(1, 2)
  base = tables.bits[0, 4]
  # fails if the outer column is free of its one bit, or 2k + 1 is off by one
  np.testing.assert_allclose(
    entropy.cost_bits(np.array([2, 3, 4, 5, 2 + 2**31]), 0, tables) - base,
    [1, 3, 3, 5, 63],
  )


@pytest.mark.parametrize(
  "make",
  [
    lambda: entropy.FrequencyTables(np.ones((1, 4), np.int32), 0, 2),
    lambda: entropy.FrequencyTables(np.ones((1, 4), np.uint32), 0, 3),
    lambda: entropy.FrequencyTables(np.array([[0, 4]], np.uint32), 0, 2),
    lambda: entropy.FrequencyTables(np.ones((0, 4), np.uint32), 0, 2),
    lambda: entropy.from_counts(-np.ones((1, 3), int), offset=0),
    lambda: entropy.from_counts(np.ones((1, 3)), offset=0),
    lambda: entropy.from_counts(np.ones((1, 9), int), offset=0, precision=3),
    lambda: entropy.laplace_tables(np.array([0.0]), radius=3),
    lambda: entropy.laplace_tables(np.array([1.0]), radius=0),
    lambda: entropy.Encoder().encode(
      np.zeros(3, int), np.zeros(2, int), _tables()
    ),
    lambda: entropy.Encoder().encode(
      np.zeros(1, int), np.array([8]), _tables()
    ),
    lambda: entropy.Encoder().encode(
      np.array([2**31]), np.array([0]), _tables()
    ),
    lambda: entropy.Encoder().encode(np.zeros(1), np.array([0]), _tables()),
    lambda: entropy.Encoder().encode_uniform_bits(np.array([4]), 2),
    lambda: entropy.Encoder().encode_uniform_bits(np.array([4]), 33),
  ],
)
def test_misuse_is_a_codec_error(make):
  with pytest.raises(errors.CodecError):
    make()
