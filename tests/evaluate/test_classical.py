"""Classical codecs: strong settings, honest rates, a search that keeps them."""

import io
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

from inrjax.evaluate import classical, metrics, search

PHOTO = data.astronaut()
TINY = PHOTO[100:132, 200:232]

FACTORIES = {
  "JPEG 4:2:0": classical.jpeg,
  "JPEG 4:4:4": lambda: classical.jpeg("4:4:4"),
  "JPEG 2000": classical.jpeg2000,
  "WebP": classical.webp,
  "AVIF 4:2:0": classical.avif,
  "AVIF 4:4:4": lambda: classical.avif("4:4:4"),
  "HEVC 4:2:0": lambda: classical.hevc("4:2:0"),
  "HEVC 4:4:4": classical.hevc,
}


@pytest.fixture(params=FACTORIES)
def codec(request):
  if request.param.startswith("HEVC"):
    pytest.importorskip("pillow_heif")
  made = FACTORIES[request.param]()
  assert made.name == request.param
  return made


@pytest.mark.parametrize("shape", [(32, 32, 3), (19, 26, 3), (21, 16, 1)])
def test_round_trip_keeps_shape_type_and_most_of_the_picture(codec, shape):
  height, width, channels = shape
  image = np.ascontiguousarray(PHOTO[100:][:height, 200:][:, :width, :channels])
  file = codec.encode(image, codec.settings[-1])
  back = codec.decode(file, channels)
  assert back.shape == image.shape and back.dtype == np.uint8
  # fails if channels are swapped or a grey image is decoded as colour
  assert metrics.psnr(image, back) > 30
  assert file == codec.encode(image, codec.settings[-1])


def test_settings_run_from_low_rates_to_high(codec):
  low, *_, high = search.sweep(codec, TINY, codec.settings[::33])
  assert low.measurement.rate.bpp < high.measurement.rate.bpp
  assert low.measurement.psnr < high.measurement.psnr


def test_rate_is_the_length_of_the_file(codec):
  (result,) = search.sweep(codec, TINY, codec.settings[50:51])
  rate = result.measurement.rate
  # fails if anything but the file's length is reported as the rate
  assert rate.bpp == 8 * len(result.data) / 1024
  assert rate.header > 0
  np.testing.assert_array_equal(
    result.reconstruction, codec.decode(result.data, 3)
  )
  assert result.measurement.psnr == metrics.psnr(TINY, result.reconstruction)


def test_stripped_rate_leaves_the_header_out_and_says_so(codec):
  stripped = classical.header_stripped(codec)
  assert stripped.name == f"{codec.name} (headers stripped)"
  (result,) = search.sweep(stripped, TINY, codec.settings[50:51])
  rate = result.measurement.rate
  parts = codec.split(result.data)
  # fails if the header is counted, or side information is not
  assert rate.total == parts.side_information + parts.payload
  assert rate.header == 0
  assert rate.total < len(codec.encode(TINY, codec.settings[50]))


@pytest.mark.parametrize("target", [0.1, 1.3, 2.0, 4.0, 12.0])
def test_the_search_keeps_the_rate(codec, target):
  for variant in (codec, classical.header_stripped(codec)):
    result = search.at_rate(variant, TINY, target)
    # fails if the setting nearest to the target is taken, above or below
    if result is None:
      assert all(
        search.Trials(variant, TINY).bpp(setting) > target
        for setting in codec.settings[:4]
      )
    else:
      assert result.measurement.rate.bpp <= target


@pytest.mark.parametrize(
  "make", [classical.jpeg, classical.webp, classical.jpeg2000]
)
def test_the_search_finds_what_trying_everything_finds(make):
  codec = classical.header_stripped(make())
  image = data.coffee()[150:182, 200:232]
  results = search.sweep(codec, image, codec.settings[::3])
  trials = search.Trials(codec, image)
  for target in (1.0, 2.0, 3.5, 7.0):
    kept = [
      r.measurement.psnr for r in results if r.measurement.rate.bpp <= target
    ]
    found = trials.at_rate(target)
    # fails if the bisection is off by one, or the worst of the rest is taken
    assert found is not None and found.measurement.psnr >= max(kept)


def test_the_search_looks_past_a_setting_out_of_order():
  # Sizes 1, 2, 3, 5, 4, 6 bytes; the best that fits 4 bytes is not in order.
  sizes = {0: 1, 1: 2, 2: 3, 3: 5, 4: 4, 5: 6}
  image = np.full((8, 1, 1), 100, np.uint8)
  codec = classical.ImageCodec(
    name="toy",
    settings=tuple(sizes),
    candidates=lambda _, setting: [bytes(sizes[setting])],
    decode=lambda file, _: image + np.uint8(10 - len(file)),
    split=lambda file: classical.overhead.Split(0, 0, len(file)),
  )
  found = search.at_rate(codec, image, 4.0)
  # fails if the neighbours of the bisection's end are not tried
  assert found is not None and found.setting == 4
  assert search.at_rate(codec, image, 0.5) is None
  assert search.at_rate(codec, image, 99.0).setting == 5


@pytest.mark.parametrize("target", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_targets_are_refused(target):
  with pytest.raises(ValueError, match="target_bpp"):
    search.at_rate(classical.webp(), TINY, target)


def _jpeg(image, **options):
  stream = io.BytesIO()
  Image.fromarray(image).save(stream, "JPEG", quality=80, **options)
  return len(stream.getvalue())


def test_jpeg_takes_the_smallest_of_its_variants():
  sizes = set()
  for image in (TINY, PHOTO):
    optimised = _jpeg(image, optimize=True, subsampling="4:2:0")
    progressive = _jpeg(image, progressive=True, subsampling="4:2:0")
    # fails if tables are not optimised or progressive is never chosen
    size = len(classical.jpeg().encode(image, 80))
    assert size == min(optimised, progressive)
    sizes.add(optimised < progressive)
  assert sizes == {True, False}


def test_jpeg_subsampling_is_what_its_name_says():
  for name in ("4:2:0", "4:4:4"):
    file = classical.jpeg(name).encode(TINY, 50)
    # Sampling factors of luma, in the frame header.
    start = max(file.find(b"\xff\xc0"), file.find(b"\xff\xc2"))
    assert file[start + 11] == {"4:2:0": 0x22, "4:4:4": 0x11}[name]


def test_files_are_ordinary_files():
  for name in ("JPEG 4:2:0", "JPEG 2000", "WebP", "AVIF 4:2:0"):
    made = FACTORIES[name]()
    with Image.open(io.BytesIO(made.encode(TINY, 50))) as image:
      assert image.size == (32, 32)


@pytest.mark.parametrize(
  "image",
  [
    np.zeros((8, 8), np.uint8),
    np.zeros((8, 8, 4), np.uint8),
    np.zeros((0, 8, 3), np.uint8),
    np.zeros((8, 8, 3), np.float32),
    [[0]],
  ],
)
def test_what_is_no_image_is_refused(image):
  with pytest.raises(ValueError, match=r"uint8 \[H, W, C\]"):
    classical.webp().encode(image, 50)
  with pytest.raises(ValueError, match=r"uint8 \[H, W, C\]"):
    search.at_rate(classical.webp(), image, 1.0)


def test_hevc_without_its_library_names_the_extra(monkeypatch):
  monkeypatch.setitem(sys.modules, "pillow_heif", None)
  with pytest.raises(ImportError, match=r"inrjax\[codecs\]"):
    classical.hevc()
