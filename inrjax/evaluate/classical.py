"""Classical image codecs behind one small value.

An `ImageCodec` is four callables and a list of settings; any other codec that
maps an image and a setting to bytes (ours too) fits in the same value, so that
the searches in `search` and the curves in `baselines` treat all alike.

The codecs are set up to be as strong as their encoders allow for PSNR: JPEG
with optimised Huffman tables, progressive when that is smaller; JPEG 2000 with
the 9/7 wavelet as a bare codestream; WebP at its slowest method; AVIF and HEVC
tuned for PSNR.
"""

import dataclasses
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from inrjax.evaluate import overhead, rate_distortion

Uint8Image = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class ImageCodec:
  """A codec as a value.

  Attributes:
    name: for legends and tables.
    settings: quality settings from the lowest rate to the highest, as far as
      the codec keeps that order.
    candidates: `(image [H, W, C] uint8, setting)` to one or more files that
      code it equally well; the one of the smallest `num_bytes` is taken.
    decode: `(file, number of channels)` to the image `[H, W, C]`, uint8.
    split: a file to what its bytes are spent on.
    num_bytes: the size that counts as the rate: the file's length, unless the
      codec is `header_stripped`.
  """

  name: str
  settings: tuple[float, ...]
  candidates: Callable[[Uint8Image, float], Sequence[bytes]]
  decode: Callable[[bytes, int], Uint8Image]
  split: overhead.Splitter
  num_bytes: Callable[[bytes], int] = len

  def encode(self, image: Uint8Image, setting: float) -> bytes:
    """Compresses an image.

    Args:
      image: `[H, W, C]`, uint8, C 1 or 3.
      setting: one of `settings`, or another the codec understands.

    Returns:
      The bytes of a file that any decoder of the format reads.

    Raises:
      ValueError: for an array that is no such image.
    """
    check_image(image)
    return min(self.candidates(image, setting), key=self.num_bytes)

  def rate(self, data: bytes, num_pixels: int) -> rate_distortion.Rate:
    """What a file costs, with the header left out if this codec is stripped.

    Args:
      data: what `encode` returned.
      num_pixels: height times width.

    Returns:
      The rate; its total is `num_bytes(data)`.
    """
    parts = self.split(data)
    total = self.num_bytes(data)
    content = parts.side_information + parts.payload
    return rate_distortion.Rate(
      num_pixels=num_pixels,
      total=total,
      header=total - content,
      side_information=parts.side_information,
      payload=parts.payload,
    )


def header_stripped(codec: ImageCodec) -> ImageCodec:
  """The same codec with constant container overhead not counted.

  For tiny images only, where headers outweigh the image; `overhead` defines
  what is left out. The files still hold the header, only the rate does not, and
  the encoder chooses among its candidates by the stripped size.

  Args:
    codec: any codec.

  Returns:
    A codec whose name says so.
  """
  return dataclasses.replace(
    codec,
    name=f"{codec.name} (headers stripped)",
    num_bytes=lambda data: codec.split(data).stripped,
  )


def jpeg(subsampling: str = "4:2:0") -> ImageCodec:
  """JPEG (libjpeg-turbo); settings are libjpeg's qualities 1 to 100.

  The smallest of baseline with optimised tables, progressive, and baseline with
  Annex K's tables (only ever smaller in header-stripped size).

  Args:
    subsampling: of chroma, "4:2:0" or "4:4:4".

  Returns:
    The codec.
  """
  variants: tuple[dict[str, Any], ...] = (
    {"optimize": True},
    {"optimize": True, "progressive": True},
    {},
  )

  def candidates(image: Uint8Image, setting: float) -> list[bytes]:
    return [
      _save(
        image, "JPEG", quality=int(setting), subsampling=subsampling, **variant
      )
      for variant in variants
    ]

  return ImageCodec(
    f"JPEG {subsampling}",
    tuple(range(1, 101)),
    candidates,
    _decode,
    overhead.split_jpeg,
  )


def jpeg2000() -> ImageCodec:
  """JPEG 2000 (OpenJPEG, 9/7 wavelet, one layer, no JP2 boxes).

  Settings are requested bits per pixel; OpenJPEG comes close to them and never
  gets below its main header, about 150 bytes with an empty image.

  Returns:
    The codec.
  """

  def candidates(image: Uint8Image, setting: float) -> list[bytes]:
    channels = image.shape[2]
    file = _save(
      image,
      "JPEG2000",
      no_jp2=True,
      # Without one, OpenJPEG spends 37 bytes on its own name and version.
      comment=b" ",
      irreversible=True,
      mct=int(channels == 3),
      quality_mode="rates",
      quality_layers=[8 * channels / setting],
    )
    return [file]

  rates = np.geomspace(0.02, 24.0, 350)
  return ImageCodec(
    "JPEG 2000",
    tuple(float(f"{rate:.4g}") for rate in rates),
    candidates,
    _decode,
    overhead.split_jpeg2000,
  )


def webp() -> ImageCodec:
  """Lossy WebP (libwebp, method 6); settings are qualities 0 to 100.

  Returns:
    The codec. It codes a grey image as colour without colour.
  """

  def candidates(image: Uint8Image, setting: float) -> list[bytes]:
    return [_save(image, "WEBP", quality=int(setting), method=6)]

  return ImageCodec(
    "WebP", tuple(range(101)), candidates, _decode, overhead.split_webp
  )


def avif(subsampling: str = "4:2:0", *, speed: int = 6) -> ImageCodec:
  """AVIF (libaom, intra, tuned for PSNR); settings are qualities 0 to 100.

  Args:
    subsampling: of chroma, "4:2:0" or "4:4:4".
    speed: libavif's, 0 (slowest) to 10. 6 is its default; 4 takes five times as
      long for about 0.3 dB on photographs.

  Returns:
    The codec.
  """

  def candidates(image: Uint8Image, setting: float) -> list[bytes]:
    file = _save(
      image,
      "AVIF",
      quality=int(setting),
      subsampling="4:0:0" if image.shape[2] == 1 else subsampling,
      speed=speed,
      # The stream must not depend on how many processors the machine has.
      max_threads=1,
      autotiling=False,
      advanced={"tune": "psnr"},
    )
    return [file]

  return ImageCodec(
    f"AVIF {subsampling}",
    tuple(range(101)),
    candidates,
    _decode,
    overhead.split_isobmff,
  )


def hevc(subsampling: str = "4:4:4") -> ImageCodec:
  """HEVC intra in HEIF (x265, tuned for PSNR); settings are qualities 0 to 100.

  BPG, the usual HEVC intra baseline, is the same codec in another container.

  Args:
    subsampling: of chroma, "4:2:0" or "4:4:4".

  Returns:
    The codec.

  Raises:
    ImportError: when pillow-heif is not installed.
  """
  heif = _import_heif()

  def candidates(image: Uint8Image, setting: float) -> list[bytes]:
    stream = io.BytesIO()
    heif.from_pillow(_to_pillow(image)).save(
      stream,
      quality=int(setting),
      chroma=subsampling.replace(":", ""),
      enc_params={"preset": "slow", "tune": "psnr"},
    )
    return [stream.getvalue()]

  def decode(data: bytes, num_channels: int) -> Uint8Image:
    image = heif.open_heif(io.BytesIO(data)).to_pillow()
    return _from_pillow(image, num_channels)

  return ImageCodec(
    f"HEVC {subsampling}",
    tuple(range(101)),
    candidates,
    decode,
    overhead.split_isobmff,
  )


def check_image(image: Uint8Image) -> None:
  """Raises ValueError unless `image` is uint8 `[H, W, C]`, C 1 or 3."""
  if (
    not isinstance(image, np.ndarray)
    or image.dtype != np.uint8
    or image.ndim != 3
    or image.shape[2] not in (1, 3)
    or image.size == 0
  ):
    kind = f"{getattr(image, 'dtype', type(image))} {np.shape(image)}"
    raise ValueError(
      f"image is {kind}; classical codecs need uint8 [H, W, C], C 1 or 3, H "
      "and W at least 1"
    )


def _to_pillow(image: Uint8Image) -> Image.Image:
  return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def _from_pillow(image: Image.Image, num_channels: int) -> Uint8Image:
  array = np.asarray(image.convert("L" if num_channels == 1 else "RGB"))
  return array[..., None] if num_channels == 1 else array


def _save(image: Uint8Image, image_format: str, **options: Any) -> bytes:
  stream = io.BytesIO()
  _to_pillow(image).save(stream, image_format, **options)
  return stream.getvalue()


def _decode(data: bytes, num_channels: int) -> Uint8Image:
  with Image.open(io.BytesIO(data)) as image:
    return _from_pillow(image, num_channels)


def _import_heif() -> Any:
  try:
    import pillow_heif
  except ImportError as error:
    raise ImportError(
      "HEVC intra needs pillow-heif: pip install 'inrjax[codecs]'"
    ) from error
  return pillow_heif
