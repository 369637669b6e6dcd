"""Codecs of shapes: packed bits, by hand."""

import lzma
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inrjax.evaluate import shape_codecs, signal_codecs

CELLS = np.indices((13, 10, 7)) - np.array([6, 5, 3]).reshape(3, 1, 1, 1)
BALL = ((CELLS**2).sum(0) <= 9).astype(np.float32)[..., None]


def test_bits_are_packed_by_the_smallest_of_three():
  codec = shape_codecs.packed_voxels()
  bits = np.packbits(BALL.astype(np.uint8)).tobytes()
  (file,) = codec.encode(BALL, 1)
  deflated = zlib.compress(bits, 9, -15)
  filters = [
    {
      "id": lzma.FILTER_LZMA1,
      "preset": 9 | lzma.PRESET_EXTREME,
      "dict_size": 1 << 20,
    }
  ]
  packed = lzma.compress(bits, lzma.FORMAT_RAW, filters=filters)
  assert len(file) == 2 + min(map(len, (bits, deflated, packed)))
  noise = np.random.default_rng(0).integers(0, 2, (8, 8, 8, 1)) * 1.0
  (file,) = codec.encode(noise, 1)
  # Fails if noise is made longer than its bits: 512 of them.
  assert file == b"\x01\x00" + np.packbits(noise.astype(np.uint8)).tobytes()
  assert codec.rate((file,), 512).bpp == 8 * 66 / 512


@given(
  hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9)),
  st.sampled_from([1, 2, 3]),
)
def test_any_grid_comes_back(grid, side):
  codec = shape_codecs.packed_voxels()
  signal = grid.astype(np.float32)[..., None]
  decoded = codec.decode(codec.encode(signal, side), signal.shape)
  assert decoded.shape == signal.shape and decoded.dtype == np.float32
  if side == 1:
    np.testing.assert_array_equal(decoded, signal)
  corner = decoded[:side, :side, :side]
  assert len(np.unique(corner)) == 1


def test_coarse_cubes_hold_the_majority():
  codec = shape_codecs.packed_voxels()
  grid = np.zeros((4, 4, 4, 1), np.float32)
  grid[:2, :2, :2] = 1
  grid[0, 0, 0] = 0  # Seven of eight.
  grid[2:, 2:, 2] = 1  # Four of eight.
  decoded = codec.decode(codec.encode(grid, 2), grid.shape)
  expected = np.zeros_like(grid)
  expected[:2, :2, :2] = 1
  np.testing.assert_array_equal(decoded, expected)


def test_curve_of_occupancy_has_accuracy():
  curve = signal_codecs.signal_curve(
    shape_codecs.packed_voxels(), [BALL], comparison=shape_codecs.of_occupancy()
  )
  best = curve.points[-1]
  assert best.setting == 1 and best.extra["accuracy"] == 1
  assert best.extra["intersection_over_union"] == 1
  worst = curve.points[0]
  assert worst.extra["accuracy"] < 1 and worst.bpp < best.bpp


def test_what_cannot_be_coded_is_named():
  codec = shape_codecs.packed_voxels()
  with pytest.raises(ValueError, match="D, H, W, 1"):
    codec.encode(BALL[..., 0], 1)
  for wrong in (0, 1.5, 256):
    with pytest.raises(ValueError, match="whole number"):
      codec.encode(BALL, wrong)
