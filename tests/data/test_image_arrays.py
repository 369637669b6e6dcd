"""Image files keep their channels and depth on the way in and out."""

import io
import struct
import zlib

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from inrjax.data import images

RNG = np.random.default_rng(0)
RGBA = RNG.integers(0, 256, (5, 7, 4), np.uint8)
WIDE = RNG.integers(0, 65536, (5, 7, 4)).astype(np.uint16)


def png_of_16_bits(array: np.ndarray) -> bytes:
  """A PNG `[H, W, C]`, C 1 to 4, without any filter: an independent writer."""
  height, width, channels = array.shape
  lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
  kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
  chunks = {
    b"IHDR": struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0),
    b"IDAT": zlib.compress(lines),
    b"IEND": b"",
  }
  return b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d))
    for k, d in chunks.items()
  )


def read(tmp_path, data: bytes, name="a.png") -> np.ndarray:
  path = tmp_path / name
  path.write_bytes(data)
  return images.read_array(path)


def saved(image: Image.Image, kind="PNG", **options) -> bytes:
  stream = io.BytesIO()
  image.save(stream, kind, **options)
  return stream.getvalue()


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 2), (5, 7, 3), (5, 7, 4)])
def test_8_bit_channels_are_kept(tmp_path, shape):
  array = RGBA.ravel()[: np.prod(shape)].reshape(shape)
  # fails if grey becomes colour or alpha is dropped or blended.
  np.testing.assert_array_equal(
    read(tmp_path, saved(Image.fromarray(array))), array
  )


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_samples_are_kept_whole(tmp_path, channels):
  array = WIDE[..., :channels]
  pixels = read(tmp_path, png_of_16_bits(array))
  assert pixels.dtype == np.uint16
  # fails if the low byte is lost (as Pillow does), or the bytes are swapped.
  np.testing.assert_array_equal(
    pixels, array[..., 0] if channels == 1 else array
  )


def test_16_bit_colour_is_turned_as_the_camera_says(tmp_path):
  data = png_of_16_bits(WIDE[..., :3])
  tiff = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x112, 3, 1, 6, 0, 0)
  chunk = struct.pack(">I", len(tiff)) + b"eXIf" + tiff
  chunk += struct.pack(">I", zlib.crc32(b"eXIf" + tiff))
  # fails if only the high bytes are turned.
  np.testing.assert_array_equal(
    read(tmp_path, data[:33] + chunk + data[33:]),
    np.rot90(WIDE[..., :3], k=-1, axes=(0, 1)),
  )


def test_transparent_palette_entries_become_alpha(tmp_path):
  image = Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7), "P")
  image.putpalette(RNG.integers(0, 256, (256, 3), np.uint8).tobytes())
  assert read(tmp_path, saved(image)).shape == (5, 7, 3)
  pixels = read(tmp_path, saved(image, transparency=3))
  # fails if the transparency of an entry is overlooked.
  assert (
    pixels[..., 3] == np.where(np.arange(35) == 3, 0, 255).reshape(5, 7)
  ).all()


@pytest.mark.parametrize(
  "suffix", [".png", ".tif", ".bmp", ".ppm", ".npy", ".PNG"]
)
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_8_bits_come_back_from_every_format(tmp_path, suffix, shape):
  array = RGBA.ravel()[: np.prod(shape)].reshape(shape)
  data = images.encode_array(array, suffix)
  if suffix == ".npy":
    np.testing.assert_array_equal(np.load(io.BytesIO(data)), array)
  else:
    # fails if a format with losses is written.
    np.testing.assert_array_equal(read(tmp_path, data, "a" + suffix), array)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (1, 1, 3)])
def test_16_bits_come_back_from_png(tmp_path, shape):
  array = WIDE.ravel()[: np.prod(shape)].reshape(shape)
  pixels = read(tmp_path, images.encode_array(array, ".png"))
  # fails if the filter's distance is not a whole pixel.
  np.testing.assert_array_equal(pixels, array.reshape(pixels.shape))


@pytest.mark.parametrize(
  ("array", "suffix", "remedy"),
  [
    (RGBA[..., :3], ".jpg", r"\.png"),
    (RGBA[..., :3], "", r"\.png"),
    (RGBA, ".png", r"\.npy"),
    (WIDE[..., :3], ".tif", r"\.png"),
    (np.zeros((5, 7, 3), np.float32), ".png", r"\.npy"),
  ],
)
def test_what_a_format_cannot_hold_is_refused(array, suffix, remedy):
  with pytest.raises(images.ImageError, match=remedy):
    images.encode_array(array, suffix)


def test_samples_without_a_known_range_are_refused(tmp_path):
  image = Image.fromarray(np.full((2, 2), np.float32(0.5)))
  with pytest.raises(images.ImageError, match="range"):
    read(tmp_path, saved(image, "TIFF"), "a.tif")


FILES = {
  ".png": saved(Image.fromarray(RGBA)),
  ".16.png": png_of_16_bits(WIDE[..., :3]),
  ".tif": saved(Image.fromarray(RGBA), "TIFF"),
}


@hypothesis.given(
  kind=st.sampled_from(sorted(FILES)),
  place=st.floats(0, 1, exclude_max=True),
  value=st.integers(0, 255),
  keep=st.floats(0, 1),
)
@hypothesis.settings(max_examples=300)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_damage_gives_an_array_or_the_typed_error(
  tmp_path_factory, kind, place, value, keep
):
  content = bytearray(FILES[kind])
  content[int(place * len(content))] = value
  path = tmp_path_factory.getbasetemp() / f"damaged{kind}"
  path.write_bytes(content[: int(keep * len(content)) + 1])
  # fails if a decoder's own exception gets through.
  try:
    pixels = images.read_array(path)
  except images.ImageError as error:
    assert "damaged" in str(error)
  else:
    assert pixels.dtype in (np.uint8, np.uint16)
