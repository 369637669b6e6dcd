"""Ending a run early without losing it: SIGTERM and SIGINT."""

import signal
import threading
import types
from typing import Any

import jax

from inrjax.train import parallel

# Steps between two times that the processes ask one another whether to stop.
_STOP_PERIOD = 8


class Signals:
  """Notes SIGTERM and SIGINT instead of dying of them."""

  def __init__(self) -> None:
    self._received = False
    self._previous: dict[int, Any] = {}

  def __enter__(self) -> "Signals":
    # Python lets only the main thread handle signals.
    if threading.current_thread() is threading.main_thread():
      for number in (signal.SIGTERM, signal.SIGINT):
        self._previous[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *exception: object) -> None:
    self._put_back()

  def stop(self, step: int) -> bool:
    """Whether to stop before the next step; the same in all processes."""
    if jax.process_count() == 1:
      return self._received
    return step % _STOP_PERIOD == 0 and parallel.any_process(self._received)

  def _note(self, number: int, frame: types.FrameType | None) -> None:
    del number, frame
    self._received = True
    self._put_back()

  def _put_back(self) -> None:
    while self._previous:
      signal.signal(*self._previous.popitem())
