"""Files among which some may be unreadable."""

import abc
import pathlib
import threading
import warnings
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
    if not 0 <= index < len(self):
      raise IndexError(f"Index {index} of {len(self)} {self.WHAT}.")
    for offset in range(len(self)):
      path = self._paths[(index + offset) % len(self)]
      if path in self._unreadable:
        continue
      try:
        return self._read(path)
      except self.ERROR as error:
        self._leave_out(path, error)
    raise self.ERROR(f"None of {len(self)} {self.WHAT} is readable.")

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
      stacklevel=3,
    )
