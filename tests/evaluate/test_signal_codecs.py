"""Codecs of any signal: rates, errors and curves against hand computation."""

import math

import numpy as np
import pytest

from inrjax.evaluate import overhead, signal_codecs

ARRAY = np.arange(12, dtype=np.float64).reshape(2, 3, 2)


def rounding() -> signal_codecs.SignalCodec:
  """Rounds to steps; a file for each channel, the first byte a header."""

  def encode(signal, setting):
    rounded = np.rint(signal / setting).astype(np.int8)
    return tuple(
      bytes([int(setting)]) + rounded[..., c].tobytes()
      for c in range(signal.shape[-1])
    )

  def decode(files, shape):
    channels = [np.frombuffer(file[1:], np.int8) for file in files]
    return np.stack(channels, -1).reshape(shape) * float(files[0][0])

  def split(files):
    return overhead.Split(len(files), 0, sum(map(len, files)) - len(files))

  return signal_codecs.SignalCodec("rounding", (4, 1), encode, decode, split)


def test_points_are_what_one_computes_by_hand():
  comparison = signal_codecs.of_arrays(
    (0.0, 10.0), unit="K", scores={"same": lambda a, b: float((a == b).mean())}
  )
  curve = signal_codecs.signal_curve(
    rounding(), [ARRAY, ARRAY + 1], comparison=comparison, meta={"a": 1}
  )
  fine, coarse = sorted(curve.points, key=lambda p: p.setting)
  # Two files of a header and six bytes, for six places.
  assert fine.bpp == coarse.bpp == 8 * 14 / 6
  # Fails if headers are counted twice, or as payload.
  assert math.isclose(fine.header_bpp, 8 * 2 / 6)
  assert math.isclose(fine.payload_bpp, 8 * 12 / 6)
  assert fine.psnr == math.inf and fine.extra["same"] == 1
  errors = [np.abs(x - 4 * np.rint(x / 4)) for x in (ARRAY, ARRAY + 1)]
  squares = [np.mean(e**2) for e in errors]
  # Fails if the peak is not the range that was given.
  psnr = np.mean([10 * np.log10(100 / s) for s in squares])
  assert math.isclose(coarse.psnr, psnr)
  assert math.isclose(coarse.extra["rmse"], np.mean(np.sqrt(squares)))
  # Fails if the largest error is averaged.
  assert coarse.extra["max_error"] == 2
  assert coarse.num_images == 2 and curve.meta == {"a": 1}


def test_parts_share_the_rate_and_are_compared_one_by_one():
  # Fails if a series counts as one signal.
  comparison = signal_codecs.of_arrays((0.0, 10.0), parts=list)
  series = np.stack([ARRAY, ARRAY + 1])
  rows = signal_codecs.measure_signal(rounding(), series, 4, comparison)
  assert len(rows) == 2
  assert rows[0].rate.num_pixels == 6
  assert rows[0].rate.total == 13 and rows[0].rate.header == 1
  single = [
    signal_codecs.measure_signal(
      rounding(), one, 4, signal_codecs.of_arrays((0.0, 10.0))
    )[0]
    for one in series
  ]
  assert [r.errors for r in rows] == [r.errors for r in single]


def test_own_range_is_the_peak_where_none_is_given():
  comparison = signal_codecs.of_arrays()
  errors = comparison.errors(ARRAY, ARRAY + 0.5)
  assert math.isclose(errors.psnr, 20 * math.log10(11 / 0.5))
  # Fails if an even signal divides by zero.
  assert signal_codecs.own_range(np.full(3, 5.0)) == (5.0, 10.0)
  assert signal_codecs.own_range(np.zeros(3)) == (0.0, 1.0)


def test_bytes_are_payload_unless_a_format_is_taken_apart():
  codec = signal_codecs.SignalCodec("x", (1,), None, None)
  rate = codec.rate((b"abc", b"de"), 10)
  assert (rate.total, rate.header, rate.payload) == (5, 0, 5)


def test_comparison_needs_equal_shapes():
  with pytest.raises(ValueError, match="must be equal"):
    signal_codecs.of_arrays((0, 1)).errors(ARRAY, ARRAY[:1])
