"""Metadata and masks as side information."""

import zlib

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inrjax.codec import bitio, errors, json_arrays, side_info

_JSON = st.recursive(
  st.none() | st.booleans() | st.integers() | st.text(max_size=9),
  lambda inner: (
    st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=5), inner, max_size=3)
  ),
  max_leaves=8,
)


@hypothesis.given(
  metadata=st.dictionaries(st.text(max_size=6), _JSON, max_size=4),
  shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4)),
  form=st.integers(0, 2),
  seed=st.integers(0, 99),
)
def test_side_information_comes_back(metadata, shape, form, seed):
  present = np.random.default_rng(seed).uniform(size=shape) > 0.4
  masks = {0: None, 1: present[:1], 2: present}
  info = side_info.SideInfo(metadata, masks[form])
  data = side_info.write(info)
  found = side_info.read(data, shape[0], shape[1:])
  assert found.metadata == metadata
  # Fails if bits are packed across the wrong axis, or a mask is lost.
  if form == 0:
    assert found.present is None
  else:
    np.testing.assert_array_equal(found.present, masks[form])


def test_nothing_takes_no_byte():
  assert side_info.write(side_info.SideInfo({})) == b""
  assert side_info.read(b"", 2, (3,)) == side_info.SideInfo({})


def test_usual_metadata_take_few_bytes():
  info = side_info.SideInfo({"rate": 16000, "format": "FLAC"})
  # Fails if the dictionary is left out.
  assert len(side_info.write(info)) < 24


@pytest.mark.parametrize("metadata", [{"a": np.ones(2)}, {"a": float("nan")}])
def test_other_values_than_json_are_refused(metadata):
  with pytest.raises(errors.UnsupportedSignalError, match="metadata"):
    side_info.write(side_info.SideInfo(metadata))


def _deflated(body: bytes) -> bytes:
  deflate = zlib.compressobj(9, wbits=-15, zdict=side_info._WORDS)
  return deflate.compress(body) + deflate.flush()


@pytest.mark.parametrize(
  "body",
  [
    b"",
    b"\x02{}",
    b"\x02{}\x03",
    b"\x02{}\x00\x00",
    b"\x02{}\x02\x00",
    b"\x02[]\x00",
    b"\x02{\xff\x00",
    b"\x05{}\x00",
    bitio.varint(1 << 40) + b"{}",
    bitio.varint(10**5) + b"[" * 10**5 + b"\x00",
  ],
  ids=lambda body: body[:6].hex(),
)
def test_damaged_side_information_is_one_error(body):
  with pytest.raises(errors.CorruptBitstreamError):
    side_info.read(_deflated(body), 2, (5, 3))


def test_truncations_and_bombs_are_one_error(monkeypatch):
  data = side_info.write(side_info.SideInfo({"rate": 16000, "a": "b" * 50}))
  for end in range(1, len(data)):
    with pytest.raises(errors.CorruptBitstreamError):
      side_info.read(data[:end], 1, (3,))
  with pytest.raises(errors.CorruptBitstreamError):
    side_info.read(data + b"\0", 1, (3,))
  # Fails if as much is inflated as the stream asks for.
  monkeypatch.setattr(side_info, "MAX_BYTES", 1000)
  with pytest.raises(errors.CorruptBitstreamError):
    side_info.read(_deflated(b"\x02{}\x01" + bytes(10**6)), 1, (8 * 10**6,))


@hypothesis.given(
  hnp.arrays(
    st.sampled_from(["int32", "float32", "float64", "uint8", "int64"]),
    hnp.array_shapes(min_dims=0, max_dims=2, max_side=5),
  )
)
def test_arrays_come_back(array):
  found = json_arrays.unpack(json_arrays.pack(array))
  assert found.dtype == array.dtype and found.shape == array.shape
  # Fails if NaN, signs or byte order are lost.
  np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equal_steps_take_three_numbers(dtype):
  axis = np.linspace(90, -90, 181).astype(dtype)
  packed = json_arrays.pack(axis)
  assert packed == {"type": dtype, "start": 90.0, "step": -1.0, "count": 181}
  axis[7] += 1e-3
  assert "data" in json_arrays.pack(axis)


def test_attributes_come_back():
  given = {
    "units": "K",
    "flags": ["land", "sea"],
    "scale": np.float32(0.1),
    "levels": np.array([1, 2, 3], np.int16),
  }
  found = json_arrays.unpack_attributes(json_arrays.pack_attributes(given))
  assert found["units"] == "K" and found["flags"] == ["land", "sea"]
  assert found["scale"] == np.float32(0.1) and found["scale"].dtype == "float32"
  np.testing.assert_array_equal(found["levels"], given["levels"])


@pytest.mark.parametrize(
  "value",
  [
    None,
    {},
    {"type": "object", "shape": [1], "values": [1]},
    {"type": "float64", "start": 0, "step": 1, "count": 1 << 40},
    {"type": "float64", "start": "a", "step": 1, "count": 4},
    {"type": "int8", "shape": [-1], "values": []},
    {"type": "int8", "shape": [2], "values": [1, 2, 3]},
    {"type": "int8", "shape": [1 << 30, 4], "data": ""},
    {"type": "float64", "shape": [9], "data": "eJwDAAAAAAE="},
    {"type": "float64", "shape": [9], "data": "?"},
  ],
  ids=str,
)
def test_impossible_arrays_are_one_error(value):
  with pytest.raises(errors.CorruptBitstreamError):
    json_arrays.unpack(value)
