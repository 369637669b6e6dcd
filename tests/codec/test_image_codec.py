"""The image codec: arrays to bytes and back."""

import dataclasses

import numpy as np
import pytest

import inrjax
from inrjax.codec import coders, container, image_codec, tile_network, tiling
from inrjax.coords import patches
from tests.codec import tiny_codec

SIDE = 8


@pytest.fixture(scope="module")
def grey_codec():
  return tiny_codec.make(channels=1)


@pytest.fixture(scope="module")
def data(photo_codec, picture):
  return photo_codec.compress(picture, quality=45, effort="fast")


def squared_error(decoded, original):
  return np.mean(np.square(decoded.astype(float) - original))


# Shapes and types.


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (19, 1), (8, 8), (17, 23)])
def test_every_size_comes_back(photo_codec, fixed_codec, picture, size):
  image = picture[: size[0], : size[1]]
  for codec in (photo_codec, fixed_codec):
    decoded = codec.decompress(codec.compress(image, effort="fast"))
    assert decoded.shape == image.shape and decoded.dtype == np.uint8
    # fails if tiles are out of place: the mean colour alone is 50 levels off.
    assert squared_error(decoded, image) < 40**2


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_types_come_back(photo_codec, picture, data, dtype):
  top = 65535 if dtype == "uint16" else 1
  array = (picture / 255 * top).astype(dtype)
  stream = photo_codec.compress(array, quality=45, effort="fast")
  decoded = photo_codec.decompress(stream)
  assert decoded.dtype == dtype and decoded.shape == array.shape
  reference = photo_codec.decompress(data) / 255
  # fails if the range of another type is assumed.
  assert np.abs(decoded / top - reference).max() < 0.01


@pytest.mark.parametrize("shape", [(21, 13), (21, 13, 1)])
def test_grey_images_come_back_with_their_axes(grey_codec, shape):
  array = tiny_codec.picture(21, 13, 1).reshape(shape)
  decoded = grey_codec.decompress(grey_codec.compress(array, effort="fast"))
  # fails if the channel axis is added, or dropped.
  assert decoded.shape == shape and decoded.dtype == np.uint8


# Rate and distortion.


@pytest.mark.parametrize("effort", ["fast", "medium"])
def test_quality_trades_bytes_for_error(photo_codec, picture, effort):
  points = []
  for quality in (0, 15, 30, 45, 60):
    stream = photo_codec.compress(picture, quality=quality, effort=effort)
    error = squared_error(photo_codec.decompress(stream), picture)
    points.append((len(stream), error))
  # fails if quality does not reach the step, or runs backwards.
  assert all(
    a[0] < b[0] and a[1] > b[1]
    for a, b in zip(points, points[1:], strict=False)
  )


def test_reconstruction_is_near_the_networks_own_at_the_best_quality(
  photo_codec, picture
):
  tiles = patches.to_patches(picture.astype(np.float32) / 255, SIDE)
  network = photo_codec._network
  fast = network.fit(tiles)
  errors, _ = network.error_and_gradient(fast, tiles)
  stream = photo_codec.compress(picture, quality=100, effort="fast")
  decoded = photo_codec.decompress(stream)
  again = patches.to_patches(decoded.astype(np.float32) / 255, SIDE)
  inside = again.shape[0] // 6 - 1  # Tiles without padding: the first rows.
  got = np.square(again[:inside] - tiles[:inside]).mean(axis=(1, 2, 3))
  # fails if the decoder's coordinates, or its parameters, are not those of
  # the fit.
  np.testing.assert_allclose(got, errors[:inside], rtol=0.05, atol=1e-4)


def objective(codec, image, stream):
  """Distortion + lambda rate, as the encoder counts it."""
  symbols = codec.symbols(stream)[0].astype(np.int64)
  t = (
    container.unpack(
      stream, model_id=codec.model_id, default_shape=codec._default_shape
    )
    .signals[0]
    .header[0]
  )
  fast = codec.coder.dequantise(symbols.reshape(-1, symbols.shape[-1]), t)
  tiles = patches.to_patches(image.astype(np.float32) / 255, SIDE)
  error, _ = codec._network.error_and_gradient(fast, tiles)
  rate = codec.coder.cost(symbols, t).sum()
  return error.sum() + codec.coder.trade_off(t) * rate


@pytest.mark.parametrize("quality", [5, 25, 50, 90])
def test_more_effort_is_never_worse(photo_codec, picture, quality):
  values = [
    objective(
      photo_codec,
      picture,
      photo_codec.compress(picture, quality=quality, effort=effort),
    )
    for effort in image_codec.EFFORTS
  ]
  # fails if the tiles' best are put together without looking at the whole.
  assert values[0] >= values[1] >= values[2]
  assert values[2] < values[0]


@pytest.mark.parametrize("effort", ["fast", "medium"])
def test_the_rate_asked_for_is_kept_and_used(photo_codec, picture, effort):
  pixels = picture.shape[0] * picture.shape[1]
  for bpp in (0.3, 0.7, 2.0):
    stream = photo_codec.compress(picture, bpp=bpp, effort=effort)
    # fails if bits and bytes are mixed up, or the header is not counted.
    assert 0.85 * bpp < 8 * len(stream) / pixels <= bpp
  names = ["a name that takes some bytes of the file"]
  named = photo_codec.compress_many(
    [picture], names=names, bpp=0.7, effort=effort
  )
  assert 8 * len(named) / pixels <= 0.7


def test_rates_out_of_reach_are_refused(photo_codec, fixed_codec, picture):
  for codec, bpp in ((photo_codec, 0.01), (fixed_codec, 1.0)):
    with pytest.raises(inrjax.CodecError, match="ask for a higher rate"):
      codec.compress(picture, bpp=bpp, effort="fast")
  stream = fixed_codec.compress(picture, bpp=20, effort="fast")
  assert stream == fixed_codec.compress(picture, effort="fast")


def test_bytes_are_accounted_for(photo_codec, picture):
  stream = photo_codec.compress_many(
    [picture, picture[:20]], names=["a", "b"], effort="fast"
  )
  parts = photo_codec.rates(stream)
  assert sum(p.total for p in parts) == pytest.approx(len(stream))
  for part in parts:
    assert part.total == part.header + part.side + part.payload
    assert part.side == 0 < part.header < 40
    # fails if the estimate is of other contexts, or in bytes.
    assert abs(part.estimated_bits - 8 * part.payload) < 32
  assert parts[0].payload > parts[1].payload


# Containers.


def test_several_images_share_a_file(photo_codec, picture):
  images = [picture, picture[::-1], picture[:9, :5]]
  names = ["dog.png", "a/b\\up side.png", "c.png"]
  stream = photo_codec.compress_many(images, names=names, effort="fast")
  decoded = photo_codec.decompress_many(stream)
  assert [name for name, _ in decoded] == ["dog.png", "up side.png", "c.png"]
  alone = [photo_codec.compress(image, effort="fast") for image in images]
  for (_, array), single in zip(decoded, alone, strict=True):
    # fails if images are mixed up, or one's contexts leak into the next.
    np.testing.assert_array_equal(array, photo_codec.decompress(single))
  symbols = photo_codec.symbols(stream)
  for found, single in zip(symbols, alone, strict=True):
    np.testing.assert_array_equal(found, photo_codec.symbols(single)[0])


def test_tiny_images_take_the_compact_profile(photo_codec, picture):
  stream = photo_codec.compress(picture[:SIDE, :SIDE], effort="fast")
  info = container.peek(stream)
  assert info.profile == "compact"
  # fails if the default shape is written: 5 bytes and the step index.
  assert info.sizes.header == 6
  other = photo_codec.compress(picture[:SIDE, : SIDE + 1], effort="fast")
  assert container.peek(other).sizes.header == 12


def test_the_size_that_files_leave_out_is_the_models(
  trained, photo_codec, picture
):
  spec, outer = trained
  spec = dataclasses.replace(spec, image_side=16)
  codec = inrjax.ImageCodec(spec, outer, photo_codec.coder)
  stream = codec.compress(picture[:16, :16], effort="fast")
  # fails if a tile is taken for the image.
  assert container.peek(stream).sizes.header == 6
  assert codec.decompress(stream).shape == (16, 16, 3)
  assert codec.decompress(codec.compress(picture[:8, :8])).shape == (8, 8, 3)


def test_large_payloads_take_the_full_profile(photo_codec, picture):
  tiled = np.tile(picture, (3, 2, 1))
  stream = photo_codec.compress(tiled, quality=80, effort="fast")
  # fails if a long file has the short checksum.
  assert container.peek(stream).profile == "full"
  assert photo_codec.decompress(stream).shape == tiled.shape


def test_files_are_the_same_each_time(photo_codec, picture, data):
  again = photo_codec.compress(picture, quality=45, effort="fast")
  assert again == data
  medium = [photo_codec.compress(picture, quality=45) for _ in range(2)]
  assert medium[0] == medium[1] != data


def test_another_models_file_is_refused(
  photo_codec, fixed_codec, picture, data
):
  full = photo_codec.compress_many([picture], names=["a"], effort="fast")
  with pytest.raises(inrjax.WrongModelError):
    fixed_codec.decompress(full)
  with pytest.raises(inrjax.CodecError):
    fixed_codec.decompress(data)


def test_settings_that_do_not_exist_are_corrupt(photo_codec, fixed_codec):
  spec = container.SignalSpec("image", (8, 8, 3))
  for codec, header in (
    (photo_codec, b""),
    (photo_codec, bytes([coders.NUM_STEPS])),
    (photo_codec, b"\0\0"),
    (fixed_codec, b"\0"),
  ):
    record = container.SignalRecord(spec, header, b"")
    stream = container.pack(container.Stream(codec.model_id, (record,)))
    with pytest.raises(inrjax.CorruptBitstreamError, match="header"):
      codec.decompress(stream)


# Resolution and regions.


def near(found, expected):
  """Equal up to one level in rare places: XLA may sum in another order."""
  difference = np.abs(found.astype(int) - expected.astype(int))
  return difference.max() <= 1 and (difference > 0).mean() < 1e-3


@pytest.mark.parametrize(
  "region",
  [
    (0, 0, 45, 61),
    (0, 0, 1, 1),
    (7, 8, 9, 25),
    (40, 50, 45, 61),
    (3, 0, 4, 61),
  ],
)
def test_a_region_is_a_crop(photo_codec, data, region):
  full = photo_codec.decompress(data)
  y0, x0, y1, x1 = region
  found = photo_codec.decompress(data, region=region)
  # fails if the region starts at the border of its tile.
  assert found.shape == (y1 - y0, x1 - x0, 3)
  assert near(found, full[y0:y1, x0:x1])


@pytest.mark.parametrize("scale", [2.0, 0.5, 1.37, 3.1])
def test_a_region_at_another_scale_is_a_crop(photo_codec, data, scale):
  full = photo_codec.decompress(data, scale=scale)
  sizes = [tiling.output_size(n, scale) for n in (45, 61)]
  assert full.shape == (*sizes, 3)
  found = photo_codec.decompress(data, scale=scale, region=(10, 6, 31, 50))
  rows, columns = found.shape[:2]
  starts = [
    next(i for i in range(n) if (i + 0.5) * size / n >= start)
    for n, size, start in ((sizes[0], 45, 10), (sizes[1], 61, 6))
  ]
  crop = full[starts[0] : starts[0] + rows, starts[1] : starts[1] + columns]
  assert near(found, crop)


def test_only_the_tiles_of_a_region_are_evaluated(
  photo_codec, data, monkeypatch
):
  counts = []
  values = photo_codec._network.values

  def spy(fast, rows, columns):
    counts.append(len(fast))
    return values(fast, rows, columns)

  monkeypatch.setattr(photo_codec._network, "values", spy)
  photo_codec.decompress(data, region=(9, 9, 15, 25))
  # fails if all is decoded and cut: one row of tiles, three columns.
  assert counts == [3]


def test_three_times_the_size_keeps_the_original_samples(photo_codec, data):
  # At an odd scale every original centre is a centre again.
  found = photo_codec.decompress(data, scale=3.0)[1::3, 1::3]
  # fails if the scaled image is shifted.
  assert near(found, photo_codec.decompress(data))


def test_halves_and_doubles_look_like_the_image(photo_codec, data):
  full = photo_codec.decompress(data)
  double = photo_codec.decompress(data, scale=2.0)
  pooled = double.reshape(45, 2, 61, 2, 3).mean(axis=(1, 3))
  # fails if rows and columns are scaled differently or tiles are mixed up.
  assert np.sqrt(squared_error(pooled, full)) < 8
  assert photo_codec.decompress(data, scale=0.001).shape == (1, 1, 3)


def test_memory_does_not_grow_with_the_scale(photo_codec, monkeypatch):
  network = photo_codec._network
  shapes = []
  evaluate = network._values

  def spy(fast, rows, columns):
    shapes.append((len(fast), rows.shape[1], columns.shape[1]))
    return evaluate(fast, rows, columns)

  monkeypatch.setitem(network.__dict__, "_values", spy)
  rng = np.random.default_rng(0)
  fast = rng.normal(size=(2, network.num_stored)).astype(np.float32)
  rows = np.sort(rng.random((2, 150))).astype(np.float32)
  columns = np.sort(rng.random((2, 70))).astype(np.float32)
  values = network.values(fast, rows, columns)
  assert values.shape == (2, 150, 70, 3)
  # fails if a tile at scale 64 is evaluated at once, 128 times over.
  assert set(shapes) == {(8, 50, 35)}
  single = network.values(fast[1:], rows[1:, 149:], columns[1:, 69:])
  # fails if blocks are put together in another order.
  np.testing.assert_allclose(values[1:, 149:, 69:], single, atol=1e-5)


@pytest.mark.parametrize("number", [1, 8, 9, 128, 129, 300])
def test_chunks_cover_every_row_once(number):
  sizes = []

  def double(array):
    sizes.append(len(array))
    return {"twice": 2 * array}

  array = np.arange(number)
  found = tile_network._in_chunks(double, array)["twice"]
  # fails if the padding of the last chunk is returned.
  np.testing.assert_array_equal(found, 2 * array)
  assert len(set(sizes)) == 1 and max(sizes) <= 128


def test_images_that_no_file_holds_are_refused(
  photo_codec, picture, monkeypatch
):
  monkeypatch.setattr(container, "DEFAULT_MAX_VALUES", 2 * picture.size)
  with pytest.raises(inrjax.UnsupportedSignalError, match="several files"):
    # fails if a container is written that cannot be read.
    photo_codec.compress_many([picture] * 3, effort="fast")
  monkeypatch.setattr(container, "DEFAULT_MAX_VALUES", 1000)
  with pytest.raises(inrjax.UnsupportedSignalError):
    photo_codec.compress(picture[:1], effort="fast")


def test_a_thin_hostile_image_is_bounded(photo_codec):
  # 2^28 values fit the container, but their tiles would take gigabytes.
  spec = container.SignalSpec("image", ((1 << 28) // 3, 1, 3))
  record = container.SignalRecord(spec, b"\x20", b"payload")
  stream = container.pack(container.Stream(photo_codec.model_id, (record,)))
  with pytest.raises(inrjax.CodecError, match="tiles"):
    photo_codec.decompress(stream)
  with pytest.raises(inrjax.CodecError, match="tiles"):
    photo_codec.decompress(stream, region=(0, 0, 1, 1))


def test_information_is_plain(photo_codec, fixed_codec):
  info = photo_codec.info()
  assert info["channels"] == 3 and info["tile"] == SIDE
  assert info["values_per_tile"] == 24
  assert info["coder"] == "TransformCoder"
  assert info["model_id"] == photo_codec.model_id != fixed_codec.model_id
