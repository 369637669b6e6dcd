"""Clips from and to video files (through PyAV) and animated .gif files.

What is decoded is written without loss: .mp4 is H.264 of RGB at 4:4:4 and
quantiser 0 (libx264rgb), .mkv is FFV1. A .gif has 256 colours a frame. Sound is
not kept. Frames have equal times, those of the file on average; only from .gif
to .gif does each keep its own.
"""

import fractions
import io
import math
import os
import struct
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image, ImageSequence

from inrjax.codec import (
  container,
  errors,
  file_tools,
  files_field,
  kinds,
)

DEFAULT_RATE = fractions.Fraction(25)
_CODECS = {
  ".mp4": ("mp4", "libx264rgb", "rgb24", {"crf": "0", "preset": "medium"}),
  ".mkv": ("matroska", "ffv1", "bgr0", {"level": "3"}),
}
_GIF_ERRORS = (
  OSError,
  ValueError,
  SyntaxError,
  EOFError,
  IndexError,
  KeyError,
  TypeError,
  OverflowError,
  MemoryError,
  struct.error,
  Image.DecompressionBombError,
)
# GIF counts hundredths of a second; what is faster than two plays slowly.
_GIF_UNIT = 10
_GIF_SHORTEST = 20
_GIF_LONGEST = 655_350
_GIF_DEFAULT = 100
_GIF_COLOURS = 256
_MAX_LOOPS = 65_535
_MAX_TERM = (1 << 31) - 1
_MAX_RATE = 1000
# Frames fewer than a file's duration promises that are no reason to wonder.
_MISSING = 0.1


class ShortClipWarning(UserWarning):
  """A file has fewer frames than its duration promises; it may break off."""


def read(
  path: str | os.PathLike[str], *, tools: file_tools.Tools
) -> kinds.Signal:
  """A clip and its frame rate.

  Args:
    path: a video file of a kind that `data.read_clip` reads, or a .gif.
    tools: `inrjax.data`.

  Returns:
    `[T, H, W, 3]` uint8, RGB. A `files_field.LeftOutWarning` says that there
    was sound, a `ShortClipWarning` that frames seem to be missing.

  Raises:
    UnsupportedSignalError: if the file cannot be read to its end, is partly
      transparent, or is too long.
    ImportError: if PyAV is not installed.
  """
  if kinds.suffix_of(path) == ".gif":
    frames, metadata = _read_gif(path)
  else:
    metadata, expected = _facts(path)
    try:
      frames = tools.read_clip(path)
    except ValueError as error:
      raise errors.UnsupportedSignalError(
        file_tools.reason(error, path)
      ) from error
    if len(frames) < (1 - _MISSING) * expected - 1:
      warnings.warn(
        f"{os.fspath(path)} has {len(frames)} frames, by its duration it would "
        f"have {expected:.0f}: it may break off.",
        ShortClipWarning,
        stacklevel=3,
      )
  return kinds.Signal("video", frames, metadata)


def write(signal: kinds.Signal, suffix: str) -> bytes:
  """A clip as a file.

  Args:
    signal: `[T, H, W, 3]` uint8, with the metadata that `read` gives; without a
      rate it plays 25 frames a second.
    suffix: .mp4, .mkv or .gif.

  Returns:
    The file's bytes, the same for the same clip.

  Raises:
    UnsupportedSignalError: for frames that the format cannot hold.
    CorruptBitstreamError: for values or metadata of no clip.
    ImportError: if PyAV is not installed, or its encoder is not.
  """
  frames = signal.values
  if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
    raise errors.CorruptBitstreamError(
      f"A clip is uint8 [T, H, W, 3], not {frames.dtype} {frames.shape}: the "
      "file is damaged, or the model is none for clips."
    )
  rate = _rate(signal.metadata)
  if suffix == ".gif":
    return _gif(frames, rate, signal.metadata)
  return _encoded(frames, rate, suffix)


def _facts(path: str | os.PathLike[str]) -> tuple[dict[str, Any], float]:
  """Metadata of a video file that is not too long, and frames to expect.

  Files that count their frames are checked by `data.read_clip`; for others the
  expectation is by their duration, 0 if that is unknown.
  """
  av = _pyav(os.fspath(path))
  try:
    with av.open(os.fspath(path)) as file:
      if not file.streams.video:
        raise errors.UnsupportedSignalError(
          f"{os.fspath(path)} has no video in it."
        )
      stream = file.streams.video[0]
      rate = stream.average_rate or stream.guessed_rate
      num_frames = stream.frames
      size = stream.width * stream.height
      sound = bool(file.streams.audio)
      duration = (file.duration or 0) / av.time_base
  except (av.error.FFmpegError, OSError) as error:
    raise errors.UnsupportedSignalError(
      f"Cannot read {os.fspath(path)}: {error}"
    ) from error
  # Sound may last longer than pictures.
  timed = float(duration * (rate or 0)) if not (num_frames or sound) else 0.0
  _check_size(path, num_frames or math.floor(timed), size)
  if sound:
    warnings.warn(
      f"The sound of {os.fspath(path)} is left out.",
      files_field.LeftOutWarning,
      stacklevel=4,
    )
  return _rate_metadata(rate), timed


def _encoded(
  frames: np.ndarray, rate: fractions.Fraction, suffix: str
) -> bytes:
  av = _pyav(suffix)
  form, codec, pixels, options = _CODECS[suffix]
  if codec not in av.codecs_available:
    raise ImportError(
      f"This PyAV cannot write {suffix} without loss (no {codec}): choose "
      f"another of {', '.join(_CODECS)}, .gif and .npy."
    )
  out = io.BytesIO()
  # Otherwise the file has an identity drawn by chance.
  exact = {"fflags": "+bitexact"}
  try:
    with av.open(out, "w", format=form, options=exact) as file:
      stream = file.add_stream(codec, rate=rate, options=options)
      stream.height, stream.width = frames.shape[1:3]
      stream.pix_fmt = pixels
      # Files name the number of threads.
      stream.codec_context.thread_count = 1
      stream.codec_context.flags |= av.codec.context.Flags.bitexact
      for pixels_of_frame in frames:
        packed = av.VideoFrame.from_ndarray(
          np.ascontiguousarray(pixels_of_frame), format="rgb24"
        )
        file.mux(stream.encode(packed))
      file.mux(stream.encode())
  except (av.error.FFmpegError, OSError, OverflowError) as error:
    raise errors.UnsupportedSignalError(
      f"Frames of {frames.shape[1]} x {frames.shape[2]} at {float(rate):g} a "
      f"second cannot be written as {suffix} ({error}): choose .npy."
    ) from error
  return out.getvalue()


def _read_gif(
  path: str | os.PathLike[str],
) -> tuple[np.ndarray, dict[str, Any]]:
  frames, durations = [], []
  try:
    with open(path, "rb") as stream, Image.open(stream) as image:
      if image.format != "GIF":
        raise ValueError(f"it is {image.format}")
      # Pillow takes a file that breaks off between frames for a whole one.
      stream.seek(-1, os.SEEK_END)
      if stream.read(1) != b";":
        raise ValueError("it breaks off, or something follows its end")
      num_frames = getattr(image, "n_frames", 1)
      _check_size(path, num_frames, image.width * image.height)
      loops = image.info.get("loop")
      for frame in ImageSequence.Iterator(image):
        rgba = np.asarray(frame.convert("RGBA"))
        if rgba[..., 3].min() < 255:
          raise ValueError(
            "it is partly transparent: blend it with a background"
          )
        frames.append(rgba[..., :3])
        durations.append(int(frame.info.get("duration", 0)) or _GIF_DEFAULT)
  except FileNotFoundError:
    raise
  except errors.UnsupportedSignalError:
    raise
  except _GIF_ERRORS as error:
    raise errors.UnsupportedSignalError(
      f"Cannot read {os.fspath(path)}: {error}"
    ) from error
  total = sum(durations)
  metadata = _rate_metadata(fractions.Fraction(1000 * len(frames), total))
  if len(set(durations)) > 1:
    metadata["durations"] = durations
  metadata["loops"] = loops if isinstance(loops, int) else None
  return np.stack(frames), metadata


def _gif(
  frames: np.ndarray, rate: fractions.Fraction, metadata: Mapping[str, Any]
) -> bytes:
  if max(frames.shape[1:3]) > 65_535:
    raise errors.UnsupportedSignalError(
      f"Frames of {frames.shape[1]} x {frames.shape[2]} are too large for .gif."
    )
  unit = _GIF_UNIT * round(fractions.Fraction(1000, _GIF_UNIT) / rate)
  one = min(max(unit, _GIF_SHORTEST), _GIF_LONGEST)
  durations = metadata.get("durations", [one] * len(frames))
  loops = metadata.get("loops", 0)
  if (
    not isinstance(durations, list)
    or len(durations) != len(frames)
    or not all(type(d) is int and 0 < d <= _GIF_LONGEST for d in durations)
    or not (loops is None or type(loops) is int and 0 <= loops <= _MAX_LOOPS)
  ):
    raise errors.CorruptBitstreamError(
      "The metadata have impossible times of frames: the file is damaged."
    )
  pictures = [_palette(frame) for frame in frames]
  out = io.BytesIO()
  pictures[0].save(
    out,
    "GIF",
    save_all=True,
    append_images=pictures[1:],
    duration=durations,
    disposal=1,
    **({} if loops is None else {"loop": loops}),
  )
  return out.getvalue()


def _palette(frame: np.ndarray) -> Image.Image:
  """A frame of at most 256 colours, its own if it has no more."""
  packed = frame.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
  colours, index = np.unique(packed, return_inverse=True)
  if len(colours) > _GIF_COLOURS:
    return Image.fromarray(frame).quantize(_GIF_COLOURS)
  indices = index.reshape(frame.shape[:2]).astype(np.uint8)
  picture = Image.fromarray(indices, "P")
  own = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=-1)
  picture.putpalette(own.astype(np.uint8).tobytes())
  return picture


def _rate_metadata(rate: fractions.Fraction | None) -> dict[str, Any]:
  """Frames a second, unless the file has none that means anything."""
  if rate is None or not 1 / _MAX_RATE <= rate <= _MAX_RATE:
    return {}
  near = rate.limit_denominator(1_000_000)
  return {"rate": [near.numerator, near.denominator]}


def _rate(metadata: Mapping[str, Any]) -> fractions.Fraction:
  """Frames a second; raises CorruptBitstreamError."""
  found = metadata.get("rate")
  if found is None:
    return DEFAULT_RATE
  if (
    not isinstance(found, list)
    or len(found) != 2
    or not all(type(n) is int and 0 < n <= _MAX_TERM for n in found)
    or not 1 / _MAX_RATE <= found[0] / found[1] <= _MAX_RATE
  ):
    raise errors.CorruptBitstreamError(
      f"The metadata declare {found!r} frames a second: the file is damaged."
    )
  return fractions.Fraction(*found)


def _check_size(
  path: str | os.PathLike[str], num_frames: int, num_pixels: int
) -> None:
  """Refuses, before frames fill the memory, what no file may hold."""
  count = math.prod((num_frames, num_pixels, 3))
  if count > container.DEFAULT_MAX_VALUES:
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} has {num_frames} frames of {num_pixels} pixels, more "
      "than a file may hold: cut it into several."
    )


def _pyav(what: str) -> ModuleType:
  try:
    # Optional: it brings its own FFmpeg.
    import av  # type: ignore[import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      f"{what}: clips need PyAV: pip install 'inrjax[video]'."
    ) from error
  module: ModuleType = av
  return module
