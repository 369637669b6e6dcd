"""Clips out of video files (through PyAV) and folders of frames."""

import math
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from PIL import Image

from inrjax.data import images, substitution

EXTENSIONS = frozenset(
  (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".y4m")
)

_Y4M_FRAME = b"FRAME\n"
_MAX_Y4M_HEADER = 4096
# Frames that may be missing where a file declares a time: it may be rounded.
_ROUNDING = 2


class VideoError(ValueError):
  """A file or folder that holds no clip this package can use."""


class ShortClipError(VideoError):
  """A whole clip with fewer frames than were asked for."""


class LongClipError(VideoError):
  """A clip with more values than were allowed."""


class BrokenVideoError(VideoError):
  """A video that cannot be read, or not to its end."""


class FrameSizeError(VideoError):
  """Frames of one clip that differ in size."""


class UnreadableVideoWarning(UserWarning):
  """A clip among many could not be used and is left out."""


class VideoSource(Protocol):
  """Anything with a length that gives one clip per index."""

  def __len__(self) -> int:
    """Number of clips."""

  def __getitem__(self, index: int) -> np.ndarray:
    """The clip `[T, H, W, 3]` uint8 at an index in `[0, len)`."""


def read_clip(
  path: str | os.PathLike[str],
  *,
  num_frames: int | None = None,
  size: tuple[int, int] | None = None,
  start: int = 0,
  stride: int = 1,
  max_values: int | None = None,
) -> np.ndarray:
  """Decodes a clip.

  Args:
    path: a video file, or a folder whose image files are the frames, in the
      order of the numbers in their names.
    num_frames: T; None reads to the end.
    size: H and W. Every frame is cut to the largest box of that shape in its
      middle, then resized (ECoP A.1: 320 x 240 to 240 x 240 to 128 x 128).
      None leaves frames as they are.
    start: the first frame.
    stride: frames from one that is taken to the next.
    max_values: of all that is returned; None does not bound it.

  Returns:
    `[T, H, W, 3]` uint8, RGB.

  Raises:
    LongClipError: beyond `max_values`.
    ShortClipError: if the clip ends before T frames.
    BrokenVideoError: if it cannot be read that far.
    FrameSizeError: if frames differ in size.
    ImportError: for a video file, if PyAV is not installed.
    ValueError: for numbers out of range.
  """
  _check(num_frames=num_frames, size=size, start=start, stride=stride)
  path = pathlib.Path(path)
  # (T - 1) stride + 1 frames, of which every stride-th is taken.
  stop = None if num_frames is None else start + (num_frames - 1) * stride + 1
  if path.is_dir():
    frames = _frames_of_folder(path, start, stop, stride)
  else:
    frames = _frames_of_file(path, start, stop, stride)
  clip: list[np.ndarray] = []
  shape = None
  for frame in frames:
    shape = shape or frame.shape
    if frame.shape != shape:
      raise FrameSizeError(
        f"{path}: frame {start + len(clip) * stride} is "
        f"{frame.shape[0]} x {frame.shape[1]}, the ones before are "
        f"{shape[0]} x {shape[1]}."
      )
    clip.append(frame if size is None else fit(frame, size))
    if max_values is not None and len(clip) * clip[0].size > max_values:
      raise LongClipError(
        f"{path} has more than {len(clip) - 1} frames of {clip[0].shape[0]} x "
        f"{clip[0].shape[1]}, which are {max_values} values: take fewer of "
        "them, or cut it into several."
      )
  return np.stack(clip)


def fit(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """The middle of a frame, resized.

  Args:
    frame: `[H, W, 3]` uint8.
    size: height and width of the result.

  Returns:
    `[*size, 3]` uint8.
  """
  height, width = frame.shape[:2]
  # The largest box of the wanted shape.
  scale = min(height / size[0], width / size[1])
  box = (round(size[0] * scale), round(size[1] * scale))
  top, left = (height - box[0]) // 2, (width - box[1]) // 2
  cut = frame[top : top + box[0], left : left + box[1]]
  if cut.shape[:2] == size:
    return cut
  resized = Image.fromarray(np.ascontiguousarray(cut)).resize(
    (size[1], size[0]), Image.Resampling.BICUBIC
  )
  return np.asarray(resized)


def find_clips(root: str | os.PathLike[str]) -> list[pathlib.Path]:
  """Every clip below a folder, in an order that is always the same.

  Args:
    root: a folder. Video files are recognised by their extension; a folder
      with image files in it is a clip of its own.

  Returns:
    Sorted paths; hidden ones are left out.

  Raises:
    VideoError: if `root` is no folder.
  """
  folder = pathlib.Path(root)
  if not folder.is_dir():
    raise VideoError(f"{folder} is not a folder of clips.")
  found = set()
  for path in folder.rglob("*"):
    if any(p.startswith(".") for p in path.relative_to(folder).parts):
      continue
    if path.suffix.lower() in EXTENSIONS and path.is_file():
      found.add(path)
    elif path.suffix.lower() in images.EXTENSIONS and path.is_file():
      found.add(path.parent)
  return sorted(found, key=lambda p: p.relative_to(folder).parts)


class VideoFiles(substitution.SubstitutingFiles):
  """Clips of one size, decoded when asked for.

  A clip that cannot be used (broken, too short, of frames of several sizes) is
  found when it is first decoded: its place is then taken by the next one that
  can, so that indices keep their meaning, with one `UnreadableVideoWarning`.
  """

  ERROR = VideoError
  WARNING = UnreadableVideoWarning
  WHAT = "clips"

  def __init__(
    self,
    paths: Iterable[str | os.PathLike[str]],
    *,
    num_frames: int,
    size: tuple[int, int],
    start: int = 0,
    stride: int = 1,
  ):
    """Keeps the paths; nothing is opened yet.

    Args:
      paths: video files and folders of frames, in the order of the indices.
      num_frames: T.
      size: H and W, see `read_clip`.
      start: the first frame.
      stride: frames from one that is taken to the next.

    Raises:
      VideoError: for no paths.
      ValueError: for numbers out of range.
    """
    super().__init__()
    _check(num_frames=num_frames, size=size, start=start, stride=stride)
    self._num_frames = num_frames
    self._size = size
    self._start = start
    self._stride = stride
    self._paths = [pathlib.Path(p) for p in paths]
    if not self._paths:
      raise VideoError(
        f"There are no clips; expected {', '.join(sorted(EXTENSIONS))} or "
        "folders of frames."
      )

  def _read(self, path: pathlib.Path) -> np.ndarray:
    return read_clip(
      path,
      num_frames=self._num_frames,
      size=self._size,
      start=self._start,
      stride=self._stride,
    )


class VideoFolder(VideoFiles):
  """Every clip below a folder, in sorted order; see `VideoFiles`."""

  def __init__(
    self,
    root: str | os.PathLike[str],
    *,
    num_frames: int,
    size: tuple[int, int],
    start: int = 0,
    stride: int = 1,
  ):
    """Lists a folder.

    Args:
      root: the folder, searched recursively by `find_clips`.
      num_frames: T.
      size: H and W, see `read_clip`.
      start: the first frame.
      stride: frames from one that is taken to the next.

    Raises:
      VideoError: if there is no folder, or no clip in it.
      ValueError: for numbers out of range.
    """
    super().__init__(
      find_clips(root),
      num_frames=num_frames,
      size=size,
      start=start,
      stride=stride,
    )


def _check(
  *,
  num_frames: int | None,
  size: tuple[int, int] | None,
  start: int,
  stride: int,
) -> None:
  if num_frames is not None and num_frames < 1:
    raise ValueError(f"num_frames must be at least 1, got {num_frames}.")
  if size is not None and (len(size) != 2 or min(size) < 1):
    raise ValueError(f"size must be a positive height and width, got {size}.")
  if start < 0:
    raise ValueError(f"start must not be negative, got {start}.")
  if stride < 1:
    raise ValueError(f"stride must be at least 1, got {stride}.")


def _short(path: pathlib.Path, available: int, stop: int) -> ShortClipError:
  return ShortClipError(
    f"{path} has {available} frames, too few for the {stop} that were asked "
    "for; ask for fewer frames, a smaller stride or an earlier start."
  )


def _frames_of_folder(
  folder: pathlib.Path, start: int, stop: int | None, stride: int
) -> Iterator[np.ndarray]:
  paths = sorted(
    (
      p
      for p in folder.iterdir()
      if p.suffix.lower() in images.EXTENSIONS and not p.name.startswith(".")
    ),
    key=_by_number,
  )
  if len(paths) < (start + 1 if stop is None else stop):
    raise _short(folder, len(paths), start + 1 if stop is None else stop)
  for path in paths[start:stop:stride]:
    try:
      yield images.read_image(path)
    except images.ImageError as error:
      raise BrokenVideoError(f"A frame is broken: {error}") from error


def _by_number(path: pathlib.Path) -> tuple[tuple[int, str], ...]:
  """So that frame 10 comes after frame 9."""
  parts = re.split(r"(\d+)", path.name)
  return tuple(
    (int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)
  )


def _frames_of_file(
  path: pathlib.Path, start: int, stop: int | None, stride: int
) -> Iterator[np.ndarray]:
  av = _pyav(path)
  needed = start + 1 if stop is None else stop
  seen = declared = 0
  seconds = length = 0.0
  ends: list[float] = []
  try:
    with av.open(str(path)) as container:
      if not container.streams.video:
        raise BrokenVideoError(f"{path} has no video in it.")
      declared = container.streams.video[0].frames
      length = float(1 / (container.streams.video[0].average_rate or math.inf))
      seconds = _declared_seconds(container, av.time_base)
      for frame in container.decode(video=0):
        if frame.is_corrupt:
          raise BrokenVideoError(f"{path} is damaged at frame {seen}.")
        if seen >= start and (seen - start) % stride == 0:
          pixels = frame.to_ndarray(format="rgb24")
          # The display matrix of a phone's video, counterclockwise.
          yield np.rot90(pixels, round(frame.rotation / 90))
        seen += 1
        ends.append(_end_of(frame))
        if seen == stop:
          return
  except (av.error.FFmpegError, OSError) as error:
    raise BrokenVideoError(
      f"Cannot read {path} after frame {seen}: {error}"
    ) from error
  declared = declared or _frames_by_size(av, path)
  if seen < declared:
    raise BrokenVideoError(
      f"{path} breaks off after {seen} of the {declared} frames it declares."
    )
  if _is_cut(ends, seconds, length):
    end = max(ends, default=0.0)
    raise BrokenVideoError(
      f"{path} breaks off after {seen} frames, at {end:.2f} of the "
      f"{seconds:.2f} seconds it declares."
    )
  if seen < needed:
    raise _short(path, seen, needed)


def _declared_seconds(container: Any, time_base: int) -> float:
  """When a Matroska file says that it ends; 0 where it is unknown.

  It (.mkv, .webm) declares no number of frames. What FFmpeg tells of others may
  be its guess, and sound or subtitles may last longer than the frames.
  """
  if "matroska" not in container.format.name or len(container.streams) > 1:
    return 0.0
  return (container.duration or 0) / time_base


def _end_of(frame: Any) -> float:
  """When a frame ends, in seconds; infinite where it has no time."""
  if frame.time is None:
    return math.inf
  return float(frame.time + (frame.duration or 0) * frame.time_base)


def _is_cut(ends: Sequence[float], seconds: float, length: float) -> bool:
  """Whether frames end clearly before the time that is declared.

  Times and not numbers are compared: frames may be of unequal lengths, and the
  first may come late.

  Args:
    ends: when each frame ends, in seconds.
    seconds: when the last of them does, by the file; 0 is unknown.
    length: of a frame, by the file; they may be longer.
  """
  if not seconds or not ends:
    return seconds > 0
  mean = (max(ends) - min(ends)) / max(1, len(ends) - 1)
  return seconds - max(ends) > _ROUNDING * max(length, mean)


def _frames_by_size(av: ModuleType, path: pathlib.Path) -> int:
  """How many frames, the last one begun, a .y4m of its size has; or 0.

  It declares none, and FFmpeg takes a file that was cut for one that ends.
  """
  if path.suffix.lower() != ".y4m":
    return 0
  with av.open(str(path)) as container:
    frame = len(_Y4M_FRAME) + next(container.demux(video=0)).size
  with path.open("rb") as file:
    head = file.readline(_MAX_Y4M_HEADER)
    is_plain = file.read(len(_Y4M_FRAME)) == _Y4M_FRAME
  # Frames may have parameters of their own, of any length.
  size = path.stat().st_size - len(head)
  return -(-size // frame) if is_plain else 0


def _pyav(path: pathlib.Path) -> ModuleType:
  try:
    # Optional: it brings its own FFmpeg.
    import av  # type: ignore[import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      f"Reading {path} needs PyAV: pip install 'inrjax[video]', or give a "
      "folder of frames."
    ) from error
  module: ModuleType = av
  return module
