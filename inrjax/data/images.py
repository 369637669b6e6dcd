"""Image files as arrays: brought to 8 bits, or as they are, and back."""

import io
import os
import pathlib
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image, ImageOps

EXTENSIONS = frozenset(
  (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
)

# What Pillow's decoders raise on damaged files; OSError holds its own
# UnidentifiedImageError and the truncated ones.
READ_ERRORS = (
  OSError,
  SyntaxError,
  ValueError,
  EOFError,
  IndexError,
  KeyError,
  TypeError,
  OverflowError,
  MemoryError,
  struct.error,
  zlib.error,
  zipfile.BadZipFile,
  Image.DecompressionBombError,
)
# What `encode_array` writes, all of it lossless.
WRITABLE = frozenset((".png", ".tif", ".tiff", ".bmp", ".ppm", ".npy"))
_CHANNELS = {1: "L", 3: "RGB"}
# Pillow keeps one byte of every sample of a 16-bit colour PNG, whose samples
# lie in the file with the most significant byte first: its unpacker for that
# order gives the high bytes, the one for the other order the low bytes.
_LOW_BYTES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}


class ImageError(ValueError):
  """A file that holds no image this package can use."""


def find_images(root: str | os.PathLike[str]) -> list[pathlib.Path]:
  """Every image file below a folder, in an order that is always the same.

  Args:
    root: a folder; files are recognised by their extension, in any case.

  Returns:
    Paths sorted by their parts relative to `root`; hidden files are left out.

  Raises:
    ImageError: if `root` is no folder.
  """
  folder = pathlib.Path(root)
  if not folder.is_dir():
    raise ImageError(f"{folder} is not a folder of images.")
  found = (
    p
    for p in folder.rglob("*")
    if p.suffix.lower() in EXTENSIONS
    and not p.name.startswith(".")
    and p.is_file()
  )
  return sorted(found, key=lambda p: p.relative_to(folder).parts)


def check_header(path: str | os.PathLike[str]) -> None:
  """Reads as much of a file as tells that it is an image (no pixels).

  Args:
    path: the file.

  Raises:
    ImageError: if the file cannot be read or its header is not an image's.
  """
  try:
    with Image.open(path):
      pass
  except READ_ERRORS as error:
    raise ImageError(f"Cannot read {path}: {error}") from error


def read_image(
  path: str | os.PathLike[str], *, channels: int = 3
) -> np.ndarray:
  """Decodes an image file.

  Grey becomes colour by repetition, colour becomes grey by the luma weights of
  ITU-R 601. An alpha channel is dropped: what shows is the colour stored
  under it, and nothing is blended. 16-bit grey is rounded to 8 bits (Pillow
  itself keeps the high byte of 16-bit colour). Palettes are looked up, and the
  orientation that a camera noted is applied.

  Args:
    path: the file.
    channels: 1 for grey or 3 for RGB.

  Returns:
    `[H, W, channels]` uint8.

  Raises:
    ImageError: if the file is missing, broken, truncated, or its samples have
      no known range (floating point, 32-bit integers above 65535).
    ValueError: for another number of channels.
  """
  if channels not in _CHANNELS:
    raise ValueError(f"channels must be 1 or 3, got {channels}.")
  try:
    with Image.open(path) as file:
      pixels = _to_8_bits(ImageOps.exif_transpose(file), _CHANNELS[channels])
  except READ_ERRORS as error:
    raise ImageError(f"Cannot read {path}: {error}") from error
  return pixels.reshape(*pixels.shape[:2], channels)


def _to_8_bits(image: Image.Image, mode: str) -> np.ndarray:
  """`[H, W]` or `[H, W, 3]` uint8 of an image in any of Pillow's modes."""
  if image.mode == "F":
    raise ValueError("floating-point samples have no known range.")
  if image.mode.startswith("I"):
    wide = np.asarray(image).astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
      raise ValueError(f"samples reach {wide.max()}, above 16 bits.")
    # 65535 = 255 * 257, so this is the nearest of the 256 levels.
    image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
  elif image.mode in ("P", "PA"):
    image = image.convert("RGB")
  elif image.mode == "LA":
    image = image.getchannel("L")
  return np.array(image.convert(mode))


def read_array(path: str | os.PathLike[str]) -> np.ndarray:
  """Decodes an image file and keeps its channels and its depth.

  Palettes are looked up, other colour spaces become RGB, and the orientation
  that a camera noted is applied. Colour of more than 8 bits is kept from PNG;
  from other formats Pillow gives 8 bits.

  Args:
    path: the file.

  Returns:
    `[H, W]` for grey, `[H, W, 2]` for grey with alpha, `[H, W, 3]` for RGB or
    `[H, W, 4]` for RGB with alpha; uint8, or uint16 from 16-bit files.

  Raises:
    ImageError: as `read_image`.
  """
  try:
    with Image.open(path) as file:
      layout = str(file.tile[0].args) if file.format == "PNG" else ""
      pixels = _as_it_is(ImageOps.exif_transpose(file))
    if layout not in _LOW_BYTES:
      return pixels
    with Image.open(path) as file:
      file.tile = [tile._replace(args=_LOW_BYTES[layout]) for tile in file.tile]
      low = np.asarray(ImageOps.exif_transpose(file))
  except READ_ERRORS as error:
    raise ImageError(f"Cannot read {path}: {error}") from error
  return pixels.astype(np.uint16) << 8 | low


def encode_array(array: np.ndarray, suffix: str) -> bytes:
  """The bytes of a lossless file that holds an array.

  Args:
    array: `[H, W]`, `[H, W, 1]` or `[H, W, 3]`; uint8 for any suffix, uint16
      for `.png`; any numeric array for `.npy`.
    suffix: one of `WRITABLE`, in any case.

  Returns:
    The file.

  Raises:
    ImageError: if the format cannot hold the array, or is not known.
  """
  suffix = suffix.lower()
  stream = io.BytesIO()
  if suffix == ".npy":
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
  if suffix not in WRITABLE:
    raise ImageError(
      f"Cannot write {suffix or 'a name without a suffix'}; choose a lossless "
      f"format: {', '.join(sorted(WRITABLE))}."
    )
  image = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
  if image.ndim != 2 and image.shape[2:] != (3,):
    raise ImageError(
      f"An image file holds [H, W], [H, W, 1] or [H, W, 3], got {array.shape}; "
      "choose a name that ends in .npy."
    )
  if array.dtype == np.uint16 and suffix == ".png":
    return _png_of_16_bits(image)
  if array.dtype != np.uint8:
    raise ImageError(
      f"Cannot write {array.dtype} samples to a {suffix} file; choose a name "
      f"that ends in {'.png' if array.dtype == np.uint16 else '.npy'}."
    )
  Image.fromarray(image).save(stream, Image.registered_extensions()[suffix])
  return stream.getvalue()


def _as_it_is(image: Image.Image) -> np.ndarray:
  """The samples of an image in any of Pillow's modes, see `read_array`."""
  if image.mode == "F":
    raise ValueError("floating-point samples have no known range.")
  if image.mode.startswith("I"):
    wide = np.asarray(image).astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:
      raise ValueError(f"samples reach {wide.max()}, above 16 bits.")
    return wide.astype(np.uint16)
  mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
  if image.has_transparency_data:
    mode += "A"
  return np.array(image.convert(mode))


def _png_of_16_bits(image: np.ndarray) -> bytes:
  """A PNG of `[H, W]` or `[H, W, 3]` uint16, which Pillow writes only grey."""
  height, width = image.shape[:2]
  rows = image.astype(">u2").reshape(height, -1).view(np.uint8)
  # The filter "Sub": each byte less that of the pixel before it.
  stride = rows.shape[1] // width
  filtered = np.ones((height, 1 + rows.shape[1]), np.uint8)
  filtered[:, 1:] = rows
  filtered[:, 1 + stride :] -= rows[:, :-stride]
  colour_type = 2 if image.ndim == 3 else 0
  header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
  chunks = (
    (b"IHDR", header),
    (b"IDAT", zlib.compress(filtered.tobytes())),
    (b"IEND", b""),
  )
  return b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(data))
    + kind
    + data
    + struct.pack(">I", zlib.crc32(kind + data))
    for kind, data in chunks
  )
