"""Every kind of image file becomes the right 8-bit array, or one error."""

import io

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from inrjax.data import images

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), np.uint8)
GREY = RGB[..., 0]
ALPHA = RNG.integers(0, 256, (5, 7), np.uint8)


def write(tmp_path, image, name="a.png", **options):
  path = tmp_path / name
  image.save(path, **options)
  return path


def test_grey_is_repeated_or_kept(tmp_path):
  path = write(tmp_path, Image.fromarray(GREY))
  # fails if channels are not equal or the order of axes is wrong.
  np.testing.assert_array_equal(
    images.read_image(path), np.stack([GREY] * 3, -1)
  )
  np.testing.assert_array_equal(
    images.read_image(path, channels=1), GREY[..., None]
  )


def test_colour_is_exact_and_its_grey_is_luma(tmp_path):
  path = write(tmp_path, Image.fromarray(RGB))
  np.testing.assert_array_equal(images.read_image(path), RGB)
  # fails if grey is a plain mean: the weights differ by up to 0.3 * 255.
  luma = RGB @ np.array([0.299, 0.587, 0.114])
  grey = images.read_image(path, channels=1)[..., 0]
  assert np.abs(grey - luma).max() <= 1


@pytest.mark.parametrize(("channels", "colour"), [(3, RGB), (1, GREY)])
def test_alpha_is_dropped_not_blended(tmp_path, channels, colour):
  rgba = np.concatenate([colour.reshape(5, 7, -1), ALPHA[..., None]], axis=-1)
  path = write(tmp_path, Image.fromarray(rgba))
  # fails if transparent pixels are blended with any background.
  np.testing.assert_array_equal(
    images.read_image(path, channels=channels), colour.reshape(5, 7, channels)
  )


def test_palette_with_transparency_is_looked_up(tmp_path):
  image = Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7), "P")
  palette = RNG.integers(0, 256, (256, 3), np.uint8)
  image.putpalette(palette.tobytes())
  path = write(tmp_path, image, transparency=3)
  expected = palette[np.arange(35).reshape(5, 7)]
  # fails if the indices themselves come out.
  np.testing.assert_array_equal(images.read_image(path), expected)


def test_bilevel_becomes_black_and_white(tmp_path):
  image = Image.fromarray(GREY > 99)
  pixels = images.read_image(write(tmp_path, image), channels=1)
  # fails if True comes out as 1.
  np.testing.assert_array_equal(pixels[..., 0], 255 * (GREY > 99))


def test_16_bit_grey_is_rounded_to_the_nearest_level(tmp_path):
  wide = np.arange(65536, dtype=np.uint16).reshape(256, 256)
  path = write(tmp_path, Image.fromarray(wide))
  pixels = images.read_image(path, channels=1)[..., 0]
  # fails if the high byte is kept, or if values are clipped at 255.
  np.testing.assert_array_equal(pixels, np.rint(wide / 257))


def test_32_bit_integers_that_fit_16_bits_are_read(tmp_path):
  wide = np.array([[0, 257], [65535, 32768]], np.int32)
  path = write(tmp_path, Image.fromarray(wide), "a.tif")
  np.testing.assert_array_equal(
    images.read_image(path, channels=1)[..., 0], [[0, 1], [255, 128]]
  )


@pytest.mark.parametrize("value", [np.float32(0.5), np.int32(70000)])
def test_samples_without_a_known_range_are_refused(tmp_path, value):
  path = write(tmp_path, Image.fromarray(np.full((2, 2), value)), "a.tif")
  with pytest.raises(images.ImageError, match="a.tif"):
    images.read_image(path)


def test_cmyk_becomes_rgb(tmp_path):
  image = Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).convert("CMYK")
  pixels = images.read_image(write(tmp_path, image, "a.jpg"))
  assert pixels.shape == (8, 8, 3)
  # fails if inks are taken for light (200 would come out as 55).
  assert np.abs(pixels.astype(int) - 200).max() <= 2


def test_orientation_of_the_camera_is_applied(tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6  # Turned by a quarter.
  path = write(tmp_path, Image.fromarray(RGB), exif=exif)
  # fails if the tag is ignored: the shape would be (5, 7, 3).
  np.testing.assert_array_equal(
    images.read_image(path), np.rot90(RGB, k=-1, axes=(0, 1))
  )


def test_one_pixel_is_an_image(tmp_path):
  path = write(tmp_path, Image.fromarray(RGB[:1, :1]))
  np.testing.assert_array_equal(images.read_image(path), RGB[:1, :1])


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_other_channel_counts_are_refused(tmp_path, channels):
  path = write(tmp_path, Image.fromarray(RGB))
  with pytest.raises(ValueError, match=str(channels)):
    images.read_image(path, channels=channels)


def test_missing_file_and_folder_are_named(tmp_path):
  with pytest.raises(images.ImageError, match="nowhere.png"):
    images.read_image(tmp_path / "nowhere.png")
  with pytest.raises(images.ImageError, match="nowhere"):
    images.find_images(tmp_path / "nowhere")


def test_files_are_found_in_a_fixed_order(tmp_path):
  names = ["b/2.PNG", "b/10.jpg", "a.webp", "c.txt", ".hidden.png", "b/x.tiff"]
  for name in reversed(names):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
  (tmp_path / "folder.png").mkdir()
  found = [
    p.relative_to(tmp_path).as_posix() for p in images.find_images(tmp_path)
  ]
  # fails if the order is the file system's, or folders and hidden files count.
  assert found == ["a.webp", "b/10.jpg", "b/2.PNG", "b/x.tiff"]


def encoded(kind):
  stream = io.BytesIO()
  Image.fromarray(RGB.repeat(4, 0).repeat(4, 1)).save(stream, kind)
  return stream.getvalue()


ENCODED = {
  kind: encoded(kind) for kind in ("PNG", "JPEG", "WEBP", "TIFF", "PPM", "BMP")
}


@hypothesis.given(
  kind=st.sampled_from(sorted(ENCODED)),
  place=st.floats(0, 1, exclude_max=True),
  value=st.integers(0, 255),
  keep=st.floats(0, 1),
)
@hypothesis.settings(max_examples=300)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_damage_gives_an_image_or_the_typed_error(
  tmp_path_factory, kind, place, value, keep
):
  content = bytearray(ENCODED[kind])
  content[int(place * len(content))] = value
  path = tmp_path_factory.getbasetemp() / "damaged"
  path.write_bytes(content[: int(keep * len(content)) + 1])
  # fails if a decoder's own exception gets through.
  try:
    pixels = images.read_image(path)
  except images.ImageError as error:
    assert "damaged" in str(error)
  else:
    assert pixels.dtype == np.uint8 and pixels.shape[2] == 3
