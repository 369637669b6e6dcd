"""Where metrics go: JSON lines, TensorBoard, a progress bar."""

import json
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Protocol

import rich.console
import rich.progress
import rich.text


class Logger(Protocol):
  """Receives metrics."""

  def log(self, step: int, metrics: Mapping[str, float]) -> None:
    """Takes the metrics of a step."""

  def close(self) -> None:
    """Writes what is left; the logger is not used again."""


class JsonLinesLogger:
  """One JSON object per line, appended: `{"step": 10, "loss": 0.1}`.

  A value that is not finite is null, since JSON knows no other. After a resume
  the steps since the last checkpoint are there twice; the later line counts.
  """

  def __init__(self, path: str | os.PathLike[str]):
    """Opens the log.

    Args:
      path: the file; its folder is made if missing.

    Raises:
      OSError: if it cannot be written.
    """
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    self._file = open(path, "a", encoding="utf-8")

  def log(self, step: int, metrics: Mapping[str, float]) -> None:
    """Appends a line."""
    values = {
      name: value if math.isfinite(value) else None
      for name, value in metrics.items()
    }
    self._file.write(json.dumps({"step": step} | values) + "\n")
    self._file.flush()

  def close(self) -> None:
    """Closes the file."""
    self._file.close()


class TensorboardLogger:
  """Scalars for TensorBoard, without TensorFlow."""

  def __init__(self, directory: str | os.PathLike[str]):
    """Opens an event file.

    Args:
      directory: where event files go; made if missing.
    """
    # It imports PyTorch where that is installed, which takes seconds.
    import tensorboardX

    self._writer = tensorboardX.SummaryWriter(str(directory))

  def log(self, step: int, metrics: Mapping[str, float]) -> None:
    """Adds one scalar per metric."""
    for name, value in metrics.items():
      self._writer.add_scalar(name, value, step)

  def close(self) -> None:
    """Flushes and closes the event file."""
    self._writer.close()


class ProgressLogger:
  """A bar with steps per second, time left and some of the metrics."""

  def __init__(
    self,
    num_steps: int,
    *,
    metrics: tuple[str, ...] = ("loss", "psnr"),
    console: rich.console.Console | None = None,
  ):
    """Starts the bar.

    Args:
      num_steps: where it ends.
      metrics: names shown where they are logged.
      console: where to draw; standard error by default.
    """
    self._metrics = metrics
    self._progress = rich.progress.Progress(
      rich.progress.BarColumn(bar_width=24),
      rich.progress.MofNCompleteColumn(),
      _Speed(),
      rich.progress.TimeRemainingColumn(),
      rich.progress.TextColumn("{task.fields[shown]}"),
      console=console or rich.console.Console(stderr=True),
    )
    self._task = self._progress.add_task("", total=num_steps, shown="")
    self._begun = False
    self._progress.start()

  def log(self, step: int, metrics: Mapping[str, float]) -> None:
    """Moves the bar; without metrics to show it keeps those before."""
    if not self._begun:
      # A resumed run does not count the steps of the one before as its speed.
      self._progress.reset(self._task, completed=step)
      self._begun = True
    self._progress.update(self._task, completed=step)
    shown = "  ".join(
      f"{name} {metrics[name]:.4g}" for name in self._metrics if name in metrics
    )
    if shown:
      self._progress.update(self._task, shown=shown)

  def close(self) -> None:
    """Leaves the bar where it is."""
    self._progress.stop()


class _Speed(rich.progress.ProgressColumn):
  """Steps per second, as rich estimates it over the last half minute."""

  def render(self, task: rich.progress.Task) -> rich.text.Text:
    speed = task.finished_speed or task.speed
    text = "- steps/s" if speed is None else f"{speed:.1f} steps/s"
    return rich.text.Text(text)
