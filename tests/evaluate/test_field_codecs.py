"""Codecs of fields and volumes: bounds hold, sizes are those of files."""

import struct
import sys

import numpy as np
import pytest

from inrjax.evaluate import classical, field_codecs, overhead, signal_codecs

RNG = np.random.default_rng(0)
LATITUDES = np.deg2rad(np.linspace(-87, 87, 16))[:, None]
LONGITUDES = np.deg2rad(np.arange(32) * 11.25)
FIELD = (
  260 + 40 * np.cos(LATITUDES) + 5 * np.sin(LATITUDES) * np.sin(3 * LONGITUDES)
).astype(np.float32)[..., None]
RANGE = (220.0, 320.0)
VOLUME = np.rint(
  100
  * np.exp(
    -((np.indices((12, 5, 9)) - [[[[6]]], [[[2]]], [[[4]]]]) ** 2).sum(0) / 12
  )
).astype(np.uint8)[..., None]


def hevc():
  pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
  return classical.hevc()


IMAGE_CODECS = {
  "jpeg": classical.jpeg,
  "jpeg2000": classical.jpeg2000,
  "hevc": hevc,
}


@pytest.mark.parametrize("name", IMAGE_CODECS)
def test_maps_are_near_lossless_at_the_best_setting(name):
  image_codec = IMAGE_CODECS[name]()
  codec = field_codecs.slicewise(image_codec, RANGE, name="maps")
  best = codec.settings[-1]
  files = codec.encode(FIELD, best)
  decoded = codec.decode(files, FIELD.shape)
  assert codec.name == "maps" and decoded.dtype == np.float32
  # Fails if the range is lost, or the map is turned.
  assert np.abs(decoded - FIELD).max() < 1.6
  # The file is that of the image codec, and its headers are those.
  grey = np.rint(255 * (FIELD.astype(float) - 220) / 100).astype(np.uint8)
  assert files == (image_codec.encode(grey, best),)
  rate, alone = codec.rate(files, 512), image_codec.rate(files[0], 512)
  assert (rate.total, rate.header) == (alone.total, alone.header)


@pytest.mark.parametrize(
  ("axes", "count"),
  [(None, 5), ((1, 2), 12), ((0, 1), 9)],
  ids=["longest", "first", "last"],
)
def test_slices_are_files_along_the_axis(axes, count):
  codec = field_codecs.slicewise(classical.jpeg(), (0.0, 255.0), axes=axes)
  files = codec.encode(VOLUME, 100)
  # Fails if slices lie along another axis.
  assert len(files) == count
  decoded = codec.decode(files, VOLUME.shape)
  assert decoded.shape == VOLUME.shape
  # Fails if slices come back turned or in another order.
  np.testing.assert_allclose(decoded, VOLUME, atol=3)
  parts = [overhead.split_jpeg(file) for file in files]
  rate = codec.rate(files, VOLUME.size)
  assert rate.payload == sum(p.payload for p in parts)
  assert rate.total == sum(map(len, files))


def test_an_unknown_range_is_written_and_counted():
  codec = field_codecs.slicewise(classical.jpeg())
  files = codec.encode(FIELD, 95)
  assert struct.unpack("<2f", files[0]) == (FIELD.min(), FIELD.max())
  assert np.abs(codec.decode(files, FIELD.shape) - FIELD).max() < 2
  known = field_codecs.slicewise(
    classical.jpeg(), (float(FIELD.min()), float(FIELD.max()))
  )
  given = known.encode(FIELD, 95)
  first, second = codec.rate(files, 512), known.rate(given, 512)
  assert first.total == second.total + 8
  assert first.side_information == second.side_information + 8


def test_values_beyond_the_range_are_clipped():
  # Fails if they wrap around.
  codec = field_codecs.slicewise(classical.jpeg(), (250.0, 290.0))
  decoded = codec.decode(codec.encode(FIELD, 100), FIELD.shape)
  np.testing.assert_allclose(decoded, FIELD.clip(250, 290), atol=1.5)


@pytest.mark.parametrize("make", ["zfp_accuracy", "sz3"])
def test_the_largest_error_is_at_most_the_setting(make):
  pytest.importorskip({"sz3": "pysz"}.get(make, "zfpy"))
  codec = getattr(field_codecs, make)(RANGE)
  assert codec.settings[0] == 25 and codec.settings[-1] < 0.01
  lengths = []
  for signal in (FIELD, FIELD[:1], VOLUME, VOLUME[:1, :1, :1]):
    for bound in codec.settings[::3]:
      files = codec.encode(signal, bound)
      decoded = codec.decode(files, signal.shape)
      assert decoded.shape == signal.shape and decoded.dtype == np.float32
      # Fails if the bound is taken for a relative one.
      error = np.abs(decoded - signal.astype(np.float64)).max()
      assert error <= bound * (1 + 1e-6)
      lengths.append(len(files[0]))
      rate = codec.rate(files, signal.size)
      assert rate.total == lengths[-1] and 0 < rate.header < 30
  assert lengths[0] < lengths[3] / 2
  for bound in (0.0, -1.0, np.nan, np.inf):
    with pytest.raises(ValueError, match="positive and finite"):
      codec.encode(FIELD, bound)


def test_zfp_keeps_its_rate():
  pytest.importorskip("zfpy")
  codec = field_codecs.zfp_rate()
  for setting in (1.0, 4.0, 16.0):
    (file,) = codec.encode(FIELD, setting)
    # Words of 64 bits, and the header.
    assert abs(8 * len(file) - setting * FIELD.size) <= 192
  (file,) = codec.encode(FIELD, 16.0)
  np.testing.assert_allclose(codec.decode((file,), FIELD.shape), FIELD, 1e-5)
  # Fails if zfpy is let write past its buffer.
  with pytest.raises(ValueError, match="at least 0.5625 bits"):
    codec.encode(FIELD, 0.5)


def test_zfp_headers_have_the_length_that_is_said():
  zfpy = pytest.importorskip("zfpy")
  bare = zfpy.compress_numpy(FIELD[..., 0], tolerance=0.1, write_header=False)
  codec = field_codecs.zfp_accuracy()
  files = codec.encode(FIELD, 0.1)
  # Both are padded to words of 8 bytes.
  payload = codec.rate(files, 512).payload
  assert abs(payload - len(bare)) < 8


def test_sz3_files_are_taken_apart():
  pytest.importorskip("pysz")
  (file,) = field_codecs.sz3(RANGE).encode(FIELD, 1.0)
  split = field_codecs.split_sz3((file,))
  assert split.total == len(file) and split.header == 24
  # A Zstandard frame.
  assert file[24:28] == bytes.fromhex("28b52ffd")
  assert 0 < split.side_information < 40
  for wrong in (file[:20], b"x" + file[1:], file[: 24 + 10]):
    with pytest.raises(ValueError, match="not an SZ3 file"):
      field_codecs.split_sz3((wrong,))


def test_shares_are_of_the_range():
  pytest.importorskip("pysz")
  plain = field_codecs.sz3()
  known = field_codecs.of_shares(plain, RANGE)
  assert known.encode(FIELD, 0.01) == plain.encode(FIELD, 1.0)
  own = field_codecs.of_shares(plain)
  extent = float(FIELD.max()) - float(FIELD.min())
  assert own.encode(FIELD, 0.01) == plain.encode(FIELD, 0.01 * extent)


def test_a_mosaic_is_one_file_of_all_maps():
  # Fails if maps are interleaved, or each has a container of its own.
  apart = field_codecs.slicewise(classical.jpeg(), RANGE)
  together = field_codecs.mosaic(apart)
  series = np.stack([FIELD, FIELD[::-1], FIELD * 0.5 + 130])
  (file,) = together.encode(series, 90)
  assert len(apart.encode(series, 90)) == 3
  decoded = together.decode((file,), series.shape)
  assert np.sqrt(np.mean((decoded - series) ** 2)) < 2
  assert len(file) < sum(map(len, apart.encode(series, 90)))


def test_what_cannot_be_coded_is_named():
  codec = field_codecs.slicewise(classical.jpeg(), RANGE)
  holes = FIELD.copy()
  holes[3, 4] = np.nan
  with pytest.raises(ValueError, match="missing"):
    codec.encode(holes, 50)
  with pytest.raises(ValueError, match="at least one value"):
    codec.encode(FIELD[:0], 50)
  with pytest.raises(ValueError, match="H, W, C"):
    codec.encode(FIELD[0], 50)
  with pytest.raises(ValueError, match="must rise"):
    field_codecs.slicewise(classical.jpeg(), (1.0, 1.0))
  pytest.importorskip("zfpy")
  with pytest.raises(ValueError, match="at most 4 axes"):
    field_codecs.zfp_accuracy().encode(np.zeros((2, 2, 2, 2, 2, 1)), 1.0)


@pytest.mark.parametrize(
  ("make", "module"),
  [("zfp_accuracy", "zfpy"), ("zfp_rate", "zfpy"), ("sz3", "pysz")],
)
def test_without_the_package_the_remedy_is_named(make, module, monkeypatch):
  monkeypatch.setitem(sys.modules, module, None)
  with pytest.raises(ImportError, match=r"inrjax\[scientific\]"):
    getattr(field_codecs, make)()


def test_curves_rise():
  pytest.importorskip("pysz")
  curve = signal_codecs.signal_curve(
    field_codecs.sz3(RANGE),
    [FIELD],
    (8.0, 2.0, 0.5),
    comparison=signal_codecs.of_arrays(RANGE, unit="K"),
  )
  assert (np.diff(curve.bpp) > 0).all() and (np.diff(curve.psnr) > 0).all()
  assert all(p.extra["max_error"] <= p.setting for p in curve.points)


def test_missing_values_are_filled_and_in_no_error():
  holed = FIELD.copy()
  holed[3:9, 4:20] = np.nan
  codec = field_codecs.filled(field_codecs.slicewise(classical.jpeg(), RANGE))
  how = signal_codecs.of_arrays(RANGE)
  (row,) = signal_codecs.measure_signal(codec, holed, 90, how)
  there = ~np.isnan(holed)
  # Fails if errors count what is missing, or the peak is another's.
  assert row.errors.num_values == there.sum()
  mean = holed[there].mean(dtype=np.float64)
  by_hand = np.where(there, holed, np.float32(mean))
  plain = field_codecs.slicewise(classical.jpeg(), RANGE)
  # Fails if anything but the mean of what is there is coded instead.
  assert codec.encode(holed, 90) == plain.encode(by_hand, 90)
  assert codec.encode(FIELD, 90) == plain.encode(FIELD, 90)
  # Places count whether or not there is a value.
  assert row.rate.num_pixels == FIELD.size
  assert signal_codecs.own_range(holed)[0] == np.nanmin(holed)
  with pytest.raises(ValueError, match="missing"):
    codec.encode(np.full_like(FIELD, np.nan), 90)
