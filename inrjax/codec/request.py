"""What a codec is asked for, checked before any work is done."""

from collections.abc import Collection, Sequence
from typing import Any

from inrjax.codec import container, errors, tiling


def check_compression(
  arrays: Sequence[Any],
  *,
  names: Sequence[str] | None,
  quality: float | None,
  bpp: float | None,
  effort: str,
  efforts: Collection[str],
) -> None:
  """Checks the arguments of a compression.

  Args:
    arrays: the images.
    names: theirs, if any.
    quality: to lie in [0, 100].
    bpp: to be positive; not together with a quality.
    effort: to be one of `efforts`.
    efforts: what the codec offers.

  Raises:
    ValueError: for what is out of range.
  """
  if effort not in efforts:
    raise ValueError(f"effort is {effort!r}; choose from {', '.join(efforts)}.")
  if quality is not None and bpp is not None:
    raise ValueError("Give quality or bpp, not both.")
  if quality is not None and not 0 <= quality <= 100:
    raise ValueError(f"quality must lie in [0, 100], got {quality}.")
  if bpp is not None and not bpp > 0:
    raise ValueError(f"bpp must be positive, got {bpp}.")
  if not len(arrays):
    raise ValueError("There is nothing to compress.")
  if names is not None and len(names) != len(arrays):
    raise ValueError(f"{len(names)} names for {len(arrays)} images.")


def check_total(specs: Sequence[container.SignalSpec]) -> None:
  """`check_num_values` of signals."""
  check_num_values(sum(spec.num_values for spec in specs))


def check_num_values(total: int) -> None:
  """Raises UnsupportedSignalError for more values than a file may hold."""
  if total > container.DEFAULT_MAX_VALUES:
    raise errors.UnsupportedSignalError(
      f"The images have {total} values together, a file holds at most "
      f"{container.DEFAULT_MAX_VALUES}: write several files, or cut them."
    )


def check_scale(scale: float) -> None:
  """Raises ValueError unless a scale lies in (0, 64]."""
  if not 0 < scale <= 64:
    raise ValueError(f"scale must lie in (0, 64], got {scale}.")


def checked_region(
  shape: tuple[int, int, int],
  scale: float,
  region: tuple[int, int, int, int] | None,
) -> tuple[int, int, int, int]:
  """The region to decode, once it is known to be inside and to fit.

  Args:
    shape: (H, W, C) of the coded image.
    scale: output pixels per pixel.
    region: (y0, x0, y1, x1) in pixels of the coded image; None for all of it.

  Raises:
    CodecError: for a region outside the image, or too large an output.
  """
  height, width, channels = shape
  y0, x0, y1, x1 = region or (0, 0, height, width)
  if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
    raise errors.CodecError(
      f"The region {region} is empty or leaves the image of {height} x "
      f"{width}; give y0,x0,y1,x1 inside it."
    )
  out = [tiling.output_size(n, scale) for n in (y1 - y0, x1 - x0)]
  if out[0] * out[1] * channels > container.DEFAULT_MAX_VALUES:
    raise errors.CodecError(
      f"At scale {scale:g} the output has {out[0]} x {out[1]} pixels, more "
      "than fit in memory; decode regions of it."
    )
  return y0, x0, y1, x1
