"""Rate-distortion curves of a codec over many images."""

import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from inrjax.evaluate import classical, rate_distortion, search

IMAGE_SUFFIXES = (
  ".bmp",
  ".jpeg",
  ".jpg",
  ".pgm",
  ".png",
  ".ppm",
  ".tif",
  ".tiff",
  ".webp",
)


def read_images(
  source: str | os.PathLike[str],
) -> dict[str, classical.Uint8Image]:
  """Reads one image, or those of a folder in order of name.

  Args:
    source: an image file, or a folder; files in it whose suffix is no image's
      are passed over.

  Returns:
    Arrays `[H, W, C]` by file name: C is 1 for greyscale files and 3 for all
    others; transparency is dropped.

  Raises:
    OSError: when a file cannot be read as an image.
    ValueError: when there is none, or one has more than 8 bits a sample.
  """
  path = pathlib.Path(source)
  paths = [path]
  if path.is_dir():
    paths = sorted(
      p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES
    )
  if not paths:
    raise ValueError(f"{path} holds no images ({', '.join(IMAGE_SUFFIXES)})")
  return {p.name: _read_image(p) for p in paths}


def curve_at_settings(
  codec: classical.ImageCodec,
  images: Iterable[classical.Uint8Image],
  settings: Sequence[float],
  *,
  meta: Mapping[str, Any] | None = None,
) -> rate_distortion.Curve:
  """Mean rate and distortion over images at each quality setting.

  Args:
    codec: any codec.
    images: arrays `[H, W, C]`, uint8; sizes may differ.
    settings: the settings to run.
    meta: added to the curve's.

  Returns:
    One point per setting.
  """
  rows: dict[rate_distortion.Setting, list[rate_distortion.Measurement]] = {
    setting: [] for setting in settings
  }
  for image in images:
    trials = search.Trials(codec, image)
    for setting in settings:
      rows[setting].append(trials.encoded(setting).measurement)
  return rate_distortion.aggregate(
    codec.name, rows, description="mean at fixed settings", meta=meta
  )


def curve_at_rates(
  codec: classical.ImageCodec,
  images: Iterable[classical.Uint8Image],
  target_bpps: Sequence[float],
  *,
  meta: Mapping[str, Any] | None = None,
) -> rate_distortion.Curve:
  """Mean rate and distortion over images, each image at most at each target.

  A target that any image cannot keep makes no point, since a mean over the
  other images would not compare; such targets are listed in the curve's meta as
  `unreached_bpp`.

  Args:
    codec: any codec.
    images: arrays `[H, W, C]`, uint8; sizes may differ.
    target_bpps: limits in bits per pixel; the points' settings.
    meta: added to the curve's.

  Returns:
    One point per target that every image can keep. Its `bpp` is the mean of
    what was written, at most the target.

  Raises:
    ValueError: when no target can be kept by all images.
  """
  rows: dict[rate_distortion.Setting, list[rate_distortion.Measurement]] = {
    target: [] for target in target_bpps
  }
  num_images = 0
  for image in images:
    trials = search.Trials(codec, image)
    num_images += 1
    for target in target_bpps:
      result = trials.at_rate(target)
      if result is not None:
        rows[target].append(result.measurement)
  unreached = [t for t, row in rows.items() if len(row) < num_images]
  kept = {t: row for t, row in rows.items() if row and t not in unreached}
  if not kept:
    raise ValueError(
      f"{codec.name} keeps none of the targets {list(target_bpps)} bpp on all "
      f"{num_images} images; ask for higher rates"
    )
  return rate_distortion.aggregate(
    codec.name,
    kept,
    description="mean of the best PSNR at most at each target rate",
    meta={"unreached_bpp": unreached, **(meta or {})},
  )


def _read_image(path: pathlib.Path) -> classical.Uint8Image:
  with Image.open(path) as image:
    if image.mode.startswith(("I", "F")):
      raise ValueError(
        f"{path} has more than 8 bits a sample (mode {image.mode}); convert it"
      )
    grey = image.mode in ("1", "L", "LA")
    array = np.asarray(image.convert("L" if grey else "RGB"))
  return array[..., None] if grey else array
