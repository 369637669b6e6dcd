"""Rate-distortion curves of a learned codec, in bytes that were written."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from inrjax.codec import errors
from inrjax.evaluate import classical, rate_distortion


class RateParts(Protocol):
  """Bytes of one signal by purpose, and the entropy estimate in bits."""

  @property
  def side(self) -> float:
    """Side information."""

  @property
  def payload(self) -> float:
    """Coded symbols."""

  @property
  def estimated_bits(self) -> float:
    """Cost of the symbols under the entropy model."""


class LearnedCodec(Protocol):
  """What is asked of a codec; `inrjax.load` gives one."""

  def compress(
    self,
    array: np.ndarray,
    *,
    quality: float | None = None,
    bpp: float | None = None,
    effort: str = "medium",
  ) -> bytes:
    """An image `[H, W, C]` as the bytes of a file."""

  def decompress(self, data: bytes) -> np.ndarray:
    """The image of a file."""

  def rates(self, data: bytes) -> Sequence[RateParts]:
    """Where a file's bytes go, signal by signal."""


def measure_codec(
  codec: LearnedCodec,
  image: classical.Uint8Image,
  *,
  quality: float | None = None,
  bpp: float | None = None,
  effort: str = "medium",
) -> rate_distortion.Measurement:
  """Compresses one image into a file of its own, decodes and measures it.

  Args:
    codec: the codec.
    image: `[H, W, C]` uint8.
    quality: as in `LearnedCodec.compress`.
    bpp: as in `LearnedCodec.compress`.
    effort: as in `LearnedCodec.compress`.

  Returns:
    Rate and distortion; the rate is the file's length, and what is neither
    side information nor payload is header.
  """
  data = codec.compress(image, quality=quality, bpp=bpp, effort=effort)
  (parts,) = codec.rates(data)
  rate = rate_distortion.Rate(
    num_pixels=image.shape[0] * image.shape[1],
    total=len(data),
    header=len(data) - parts.side - parts.payload,
    side_information=parts.side,
    payload=parts.payload,
    estimated_bits=parts.estimated_bits,
  )
  return rate_distortion.measure(image, codec.decompress(data), rate)


def curve_at_qualities(
  codec: LearnedCodec,
  images: Mapping[str, classical.Uint8Image],
  qualities: Sequence[float],
  *,
  name: str,
  effort: str = "medium",
  meta: Mapping[str, Any] | None = None,
) -> rate_distortion.Curve:
  """Mean rate and distortion over images at each quality.

  Args:
    codec: the codec.
    images: arrays `[H, W, C]` uint8 by name, which errors mention.
    qualities: the points' settings. One that gives what an earlier one gave,
      as all do where the codec has a single setting, makes no point; where
      several were asked for and one is left, its setting is "only".
    name: the curve's.
    effort: as in `LearnedCodec.compress`.
    meta: added to the curve's.

  Returns:
    One point per quality that makes one.

  Raises:
    CodecError: if the codec cannot code an image; names it.
  """
  rows: dict[rate_distortion.Setting, list[rate_distortion.Measurement]] = {}
  for quality in qualities:
    row = []
    for image_name, image in images.items():
      try:
        row.append(measure_codec(codec, image, quality=quality, effort=effort))
      except errors.CodecError as error:
        raise type(error)(f"{image_name}: {error}") from error
    if row not in rows.values():
      rows[quality] = row
  if len(rows) == 1 < len(qualities):
    rows = {"only": row}
  return rate_distortion.aggregate(
    name, rows, description="mean at fixed qualities", meta=meta
  )


def curve_at_bpps(
  codec: LearnedCodec,
  images: Mapping[str, classical.Uint8Image],
  target_bpps: Sequence[float],
  *,
  name: str,
  effort: str = "medium",
  meta: Mapping[str, Any] | None = None,
) -> rate_distortion.Curve:
  """Mean rate and distortion over images, each image at most at each target.

  A target that any image cannot keep makes no point, as in
  `baselines.curve_at_rates`, and is listed in the meta as `unreached_bpp`.

  Args:
    codec: the codec.
    images: arrays `[H, W, C]` uint8 by name, which errors mention.
    target_bpps: limits in bits per pixel; the points' settings.
    name: the curve's.
    effort: as in `LearnedCodec.compress`.
    meta: added to the curve's.

  Returns:
    One point per target that every image can keep.

  Raises:
    UnsupportedSignalError: if the codec cannot code an image; names it.
    CodecError: if no target can be kept by all images.
  """
  rows: dict[rate_distortion.Setting, list[rate_distortion.Measurement]] = {}
  unreached: dict[float, str] = {}
  for target in target_bpps:
    row = []
    for image_name, image in images.items():
      try:
        row.append(measure_codec(codec, image, bpp=target, effort=effort))
      except errors.UnsupportedSignalError as error:
        raise type(error)(f"{image_name}: {error}") from error
      except errors.CodecError as error:
        unreached[target] = f"{image_name}: {error}"
        break
    else:
      rows[target] = row
  if not rows:
    raise errors.CodecError(
      f"no rate asked for can be kept; {next(iter(unreached.values()))}"
    )
  return rate_distortion.aggregate(
    name,
    rows,
    description="mean of what keeps each target rate",
    meta={"unreached_bpp": list(unreached), **(meta or {})},
  )
