"""Files among which some may be unreadable."""

import abc
import pathlib
import threading
import warnings
from collections.abc import Sequence
from typing import ClassVar

import numpy as np


class SubstitutingFiles(abc.ABC):
  """A source of files in which a readable one stands in for a broken one.

  What turns out to be unreadable is left out with one warning, and its place is
  taken by the next file that can be read, so that indices keep their meaning
  and a resumed run sees what the first one saw.

  Attributes:
    ERROR: what `_read` raises for a file of no use.
    WARNING: the category of the warning.
    WHAT: what the files hold, in the plural.
  """

  ERROR: ClassVar[type[Exception]]
  WARNING: ClassVar[type[Warning]]
  WHAT: ClassVar[str]

  def __init__(self) -> None:
    self._paths: list[pathlib.Path] = []
    self._unreadable: dict[pathlib.Path, None] = {}
    self._lock = threading.Lock()

  @property
  def paths(self) -> tuple[pathlib.Path, ...]:
    """The file behind each index."""
    return tuple(self._paths)

  @property
  def unreadable(self) -> tuple[pathlib.Path, ...]:
    """The files found to be broken so far."""
    return tuple(self._unreadable)

  def __len__(self) -> int:
    return len(self._paths)

  def __getitem__(self, index: int) -> np.ndarray:
    return self._first_readable(range(len(self)), index)

  def part(self, indices: Sequence[int]) -> "FilesPart":
    """Some of the files, such as those of one split.

    Args:
      indices: of the files, in `[0, len)`; at least one.

    Returns:
      A source in which no file but these stands in for a broken one.

    Raises:
      ValueError: for no indices, or one outside.
    """
    return FilesPart(self, indices)

  def _first_readable(self, indices: Sequence[int], place: int) -> np.ndarray:
    """What is at a place of some files, or at the next that can be read."""
    if not 0 <= place < len(indices):
      raise IndexError(f"Index {place} of {len(indices)} {self.WHAT}.")
    for offset in range(len(indices)):
      path = self._paths[indices[(place + offset) % len(indices)]]
      if path in self._unreadable:
        continue
      try:
        values = self._read(path)
      except self.ERROR as error:
        self._leave_out(path, error)
      else:
        return self._at(indices[place], values)
    raise self.ERROR(f"None of {len(indices)} {self.WHAT} is readable.")

  def _at(self, index: int, values: np.ndarray) -> np.ndarray:
    """What a file's values become at an index; they stay as they are."""
    del index
    return values

  @abc.abstractmethod
  def _read(self, path: pathlib.Path) -> np.ndarray:
    """What a file holds; raises `ERROR`."""

  def _leave_out(self, path: pathlib.Path, error: Exception) -> None:
    with self._lock:
      if path in self._unreadable:
        return
      self._unreadable[path] = None
      count = len(self._unreadable)
    warnings.warn(
      f"{error} Left out ({count} unreadable so far).",
      self.WARNING,
      stacklevel=4,
    )


class FilesPart:
  """Some files of a source, in which only they stand in for one another."""

  def __init__(self, files: SubstitutingFiles, indices: Sequence[int]):
    """See `SubstitutingFiles.part`."""
    self._files = files
    self._indices = tuple(int(index) for index in indices)
    if not self._indices:
      raise ValueError("indices must not be empty.")
    low, high = min(self._indices), max(self._indices)
    if low < 0 or high >= len(files):
      raise ValueError(
        f"indices must be in [0, {len(files)}), got {low} to {high}."
      )

  @property
  def paths(self) -> tuple[pathlib.Path, ...]:
    """The file behind each index."""
    paths = self._files.paths
    return tuple(paths[index] for index in self._indices)

  def __len__(self) -> int:
    return len(self._indices)

  def __getitem__(self, index: int) -> np.ndarray:
    return self._files._first_readable(self._indices, index)
