"""Varints and the reader that never runs off the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrjax.codec import bitio, errors


@given(st.integers(0, bitio.MAX_VARINT))
def test_varint_round_trip(value):
  spelled = bitio.varint(value)
  reader = bitio.Reader(spelled)
  # fails if the groups are in the other order
  assert reader.varint("a number") == value
  reader.finish("it")
  assert len(spelled) == max(1, -(-value.bit_length() // 7))


def test_varint_is_leb128():
  # The example of the DWARF standard.
  assert bitio.varint(624485) == bytes([0xE5, 0x8E, 0x26])


@pytest.mark.parametrize("value", [-1, bitio.MAX_VARINT + 1])
def test_varint_out_of_range_is_refused(value):
  with pytest.raises(ValueError, match=str(value)):
    bitio.varint(value)


@pytest.mark.parametrize(
  "spelled",
  [
    b"",
    b"\x80",
    b"\x80\x00",  # fails if padded spellings are read
    b"\xff" * 9 + b"\x01",  # fails if a varint may be of any length
    b"\xff" * 10**6,
  ],
)
def test_bad_varint_is_corrupt(spelled):
  with pytest.raises(errors.CorruptBitstreamError, match="a number"):
    bitio.Reader(spelled).varint("a number")


def test_limit_is_inclusive():
  assert bitio.Reader(b"\x07").varint("a number", 7) == 7
  with pytest.raises(errors.CorruptBitstreamError, match="a number is 8"):
    bitio.Reader(b"\x08").varint("a number", 7)


def test_take_checks_before_it_copies():
  reader = bitio.Reader(b"abc")
  assert reader.take(2, "letters") == b"ab"
  with pytest.raises(errors.CorruptBitstreamError, match="letters needs"):
    reader.take(10**18, "letters")
  assert reader.remaining == 1
  with pytest.raises(errors.CorruptBitstreamError, match="1 bytes follow"):
    reader.finish("the alphabet")
