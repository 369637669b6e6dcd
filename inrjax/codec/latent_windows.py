"""Large images through the analysis and the synthesis, a window at a time.

Memory is that of one window, whatever the size of the image. Windows overlap by
as much as the networks see, and end where the image does, so that what is kept
of them is what the whole image would have given.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from inrjax.codec import errors
from inrjax.networks import hyperprior

# Latents of a window's side at most: 1024 pixels.
MAX_WINDOW = 64
# So many latents from an edge that is not the image's, nothing of it is felt:
# it reaches 30 pixels through the synthesis, and two latents through the
# analysis.
_HALO = 2
_STRIDE = hyperprior.LATENT_STRIDE


class Span(NamedTuple):
  """A window along one axis, in latents.

  Attributes:
    start: its first latent.
    stop: the one after its last.
    keep_start: the first latent that is taken from it.
    keep_stop: the one after the last.
  """

  start: int
  stop: int
  keep_start: int
  keep_stop: int


def spans(length: int, max_window: int = MAX_WINDOW) -> list[Span]:
  """Windows of one size that cover an axis.

  Args:
    length: of the axis, in latents.
    max_window: most latents of a window.

  Returns:
    The windows, in order; what they keep divides the axis.
  """
  if max_window <= 2 * _HALO:
    raise ValueError(f"max_window must exceed {2 * _HALO}, got {max_window}.")
  if length <= max_window:
    return [Span(0, length, 0, length)]
  num = -(-(length - 2 * _HALO) // (max_window - 2 * _HALO))
  window = -(-(length - 2 * _HALO) // num) + 2 * _HALO
  found = []
  keep_start = 0
  while keep_start < length:
    start = min(max(keep_start - _HALO, 0), length - window)
    stop = start + window
    keep_stop = length if stop == length else stop - _HALO
    found.append(Span(start, stop, keep_start, keep_stop))
    keep_start = keep_stop
  return found


def analyse(
  analysis: Callable[[np.ndarray], np.ndarray],
  image: np.ndarray,
  *,
  max_window: int = MAX_WINDOW,
) -> np.ndarray:
  """Latents of an image.

  Args:
    analysis: `[1, 16 h, 16 w, C] -> [1, h, w, M]`.
    image: `[H, W, C]` with sides that are multiples of 16.
    max_window: most latents of a window's side.

  Returns:
    `[H / 16, W / 16, M]`.
  """
  rows = spans(image.shape[0] // _STRIDE, max_window)
  columns = spans(image.shape[1] // _STRIDE, max_window)
  return np.concatenate(
    [
      np.concatenate(
        [
          _kept(np.asarray(analysis(_cut(image, r, c, _STRIDE)))[0], r, c, 1)
          for c in columns
        ],
        axis=1,
      )
      for r in rows
    ]
  )


def synthesise(
  synthesis: Callable[[np.ndarray], np.ndarray],
  latents: np.ndarray,
  region: tuple[int, int, int, int],
  *,
  max_window: int = MAX_WINDOW,
) -> np.ndarray:
  """A region of the image of latents; windows beyond it are left out.

  Args:
    synthesis: `[1, h, w, M] -> [1, 16 h, 16 w, C]`.
    latents: `[H, W, M]`.
    region: (y0, x0, y1, x1) in pixels, not empty.
    max_window: most latents of a window's side.

  Returns:
    `[y1 - y0, x1 - x0, C]`.

  Raises:
    CodecError: if the region leaves the latents' image.
  """
  y0, x0, y1, x1 = region
  height, width = (_STRIDE * n for n in latents.shape[:2])
  if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
    raise errors.CodecError(
      f"the region {region} is empty or leaves the {height} x {width} pixels "
      "of the latents"
    )
  rows = _touched(spans(latents.shape[0], max_window), y0, y1)
  columns = _touched(spans(latents.shape[1], max_window), x0, x1)
  image = np.concatenate(
    [
      np.concatenate(
        [
          _kept(np.asarray(synthesis(_cut(latents, r, c, 1)))[0], r, c, _STRIDE)
          for c in columns
        ],
        axis=1,
      )
      for r in rows
    ]
  )
  top, left = (_STRIDE * s[0].keep_start for s in (rows, columns))
  return image[y0 - top : y1 - top, x0 - left : x1 - left]


def _touched(windows: list[Span], start: int, stop: int) -> list[Span]:
  return [
    s
    for s in windows
    if s.keep_start * _STRIDE < stop and s.keep_stop * _STRIDE > start
  ]


def _cut(
  values: np.ndarray, rows: Span, columns: Span, stride: int
) -> np.ndarray:
  """The window of an array `[h, w, c]`, with a batch axis."""
  return values[
    None,
    stride * rows.start : stride * rows.stop,
    stride * columns.start : stride * columns.stop,
  ]


def _kept(
  values: np.ndarray, rows: Span, columns: Span, stride: int
) -> np.ndarray:
  """The part of a window `[h, w, c]` that is kept."""
  return values[
    stride * (rows.keep_start - rows.start) : stride
    * (rows.keep_stop - rows.start),
    stride * (columns.keep_start - columns.start) : stride
    * (columns.keep_stop - columns.start),
  ]
