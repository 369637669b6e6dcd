"""Clips: UCF-101, Kinetics, or any folder of videos."""

import fractions
import functools
import pathlib
import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from experiments import build, launch, signals
from inrjax import data
from inrjax.codec import errors
from inrjax.data import video

# UCF-101's lists are named after these; Kinetics has folders of these names.
_LISTS = {"train": "trainlist", "test": "testlist"}
_FOLDERS = {"train": ("train",), "test": ("test", "val")}
# The longest terms of a rate: 30000/1001 is known as 29.97.
_MAX_TERM = 1001


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  num_frames: int,
  train_frames: int | None,
  size: tuple[int, int],
  start: int,
  stride: int,
  rate: float | None,
  test_files: tuple[str, ...],
  division: int,
  seed: int,
) -> signals.SignalSource:
  """Clips of a split; those for testing are for validation too.

  Clips that are broken or too short are named in a warning, and the next one is
  in their place.

  Args:
    split: "train", "validation" or "test".
    data_dir: a folder with UCF-101's folders of classes and its lists of clips,
      anywhere below it; or one with folders `train` and `test` or `val`, as
      Kinetics'; or any other of videos and folders of frames.
    num_frames: T of a clip.
    train_frames: of a clip for training, out of which blocks are drawn; None is
      `num_frames`.
    size: H and W, to which the middle of each frame is resized.
    start: the first frame.
    stride: frames from one that is taken to the next.
    rate: frames a second before any are left out; None is unknown.
    test_files: names of the clips for testing, the rest is for training; none
      where lists or folders tell.
    division: UCF-101's, 1 to 3.
    seed: of the order of clips, where many are sorted by their class.

  Raises:
    UnsupportedSignalError: if there are no such clips.
    ConfigError: for numbers out of range.
  """
  if data_dir is None:
    raise SystemExit("--data_dir: name the folder of clips.")
  frames = train_frames or num_frames
  if frames < num_frames:
    raise build.ConfigError(
      f"data.source.train_frames is {frames}, below num_frames {num_frames}."
    )
  is_train = split == "train"
  part = "train" if is_train else "test"
  paths = _paths(part, data_dir, tuple(test_files), division, seed)
  with build.of_config():
    clips = data.VideoFiles(
      paths,
      num_frames=frames if is_train else num_frames,
      size=(int(size[0]), int(size[1])),
      start=start,
      stride=stride,
    )
  if rate is None:
    return signals.Clips(clips)
  exact = fractions.Fraction(rate).limit_denominator(_MAX_TERM)
  return signals.Clips(clips, exact / stride)


@functools.cache
def _paths(
  part: str,
  folder: pathlib.Path,
  test_files: tuple[str, ...],
  division: int,
  seed: int,
) -> tuple[pathlib.Path, ...]:
  """The clips of a part, "train" or "test"; at least one."""
  with signals.reading():
    clips = video.find_clips(folder)
  if test_files:
    return _named(clips, folder, test_files)[part]
  lists = sorted(folder.rglob(f"{_LISTS[part]}{division:02}.txt"))
  if lists:
    return _shuffled(_listed(clips, lists[0]), seed)
  folders = {p: [folder / n for n in ns] for p, ns in _FOLDERS.items()}
  if any(path.is_dir() for paths in folders.values() for path in paths):
    found = next((p for p in folders[part] if p.is_dir()), folders[part][0])
    inside = [path for path in clips if found in path.parents]
    if not inside:
      raise errors.UnsupportedSignalError(f"There are no clips below {found}.")
    return _shuffled(inside, seed)
  return _named(clips, folder, ())[part]


def _listed(
  clips: Iterable[pathlib.Path], listing: pathlib.Path
) -> list[pathlib.Path]:
  """The clips of a list of UCF-101's, whatever their endings are now.

  A line is `Class/v_Class_g01_c01.avi`, and a number in those for training.
  """
  try:
    lines = listing.read_text(encoding="utf-8").splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise errors.UnsupportedSignalError(
      f"Cannot read {listing}: {error}"
    ) from error
  wanted = {_key(pathlib.Path(row.split()[0])) for row in lines if row.strip()}
  found = [path for path in clips if _key(path) in wanted]
  if not found:
    raise errors.UnsupportedSignalError(
      f"None of the {len(wanted)} clips of {listing} lies in the folder; they "
      "are expected in folders of their classes."
    )
  if len(found) < len(wanted):
    warnings.warn(
      f"{len(wanted) - len(found)} of the {len(wanted)} clips of {listing} are "
      "not there. Going on without.",
      data.UnreadableVideoWarning,
      stacklevel=4,
    )
  return found


def _key(path: pathlib.Path) -> tuple[str, str]:
  return path.parent.name, path.stem


def _named(
  clips: Sequence[pathlib.Path],
  folder: pathlib.Path,
  test_files: tuple[str, ...],
) -> dict[str, tuple[pathlib.Path, ...]]:
  train, test = signals.divided_by_name(
    [path.name for path in clips],
    test_files,
    folder,
    otherwise="; or none, of a folder with UCF-101's lists, or with folders "
    "train and test",
  )
  return {
    "train": tuple(clips[i] for i in train),
    "test": tuple(clips[i] for i in test),
  }


def _shuffled(
  paths: Sequence[pathlib.Path], seed: int
) -> tuple[pathlib.Path, ...]:
  """In an order in which the first ones are of many classes."""
  order = np.random.default_rng(seed).permutation(len(paths))
  return tuple(paths[i] for i in order)


if __name__ == "__main__":
  launch.main(load, signals.Run)
