"""What the loggers write can be read again."""

import io
import json
import math

import numpy as np
import pytest
import rich.console

from inrjax import train


def test_json_lines_are_appended_and_always_json(tmp_path):
  path = tmp_path / "new" / "log.jsonl"
  for step in (1, 2):  # The second is a resumed run.
    logger = train.JsonLinesLogger(path)
    logger.log(step, {"loss": 0.25, "psnr": math.inf, "x": math.nan})
    # fails if lines wait in a buffer that a kill would lose.
    lines = path.read_text().splitlines()
    logger.close()
  assert "Infinity" not in lines[0] and "NaN" not in lines[0]
  assert [json.loads(line) for line in lines] == [
    {"step": step, "loss": 0.25, "psnr": None, "x": None} for step in (1, 2)
  ]


def test_json_lines_that_cannot_be_written_are_an_error(tmp_path):
  (tmp_path / "file").touch()
  with pytest.raises(OSError, match="file"):
    train.JsonLinesLogger(tmp_path / "file" / "log.jsonl")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_scalars_can_be_read_back(tmp_path):
  logger = train.TensorboardLogger(tmp_path)
  logger.log(3, {"loss": 0.25})
  logger.log(7, {"loss": 0.125, "test/psnr": 30.0})
  logger.close()
  from tensorboardX.proto import event_pb2

  (path,) = tmp_path.iterdir()
  content, found = path.read_bytes(), []
  while content:
    # A record: length (8 bytes), its checksum (4), the event, a checksum (4).
    length = int.from_bytes(content[:8], "little")
    event = event_pb2.Event.FromString(content[12 : 12 + length])
    content = content[16 + length :]
    found += [(event.step, v.tag, v.simple_value) for v in event.summary.value]
  assert found == [(3, "loss", 0.25), (7, "loss", 0.125), (7, "test/psnr", 30)]


def test_the_bar_shows_steps_speed_and_metrics():
  screen = io.StringIO()
  console = rich.console.Console(file=screen, force_terminal=True, width=100)
  logger = train.ProgressLogger(200, console=console)
  logger.log(100, {"loss": 0.25, "psnr": 31.7, "grad_norm": 5.0})
  logger.log(200, {"loss": 0.125, "psnr": 32.7})
  logger.close()
  shown = screen.getvalue().rsplit("\n", 2)[-2]
  # fails if the metrics shown are not the ones asked for.
  for part in ("200/200", "steps/s", "loss 0.125", "psnr 32.7"):
    assert part in shown
  assert "grad_norm" not in screen.getvalue()


def test_the_bar_of_a_resumed_run_does_not_boast():
  screen = io.StringIO()
  console = rich.console.Console(file=screen, force_terminal=True, width=100)
  clock = iter(np.arange(0.0, 1000.0))
  logger = train.ProgressLogger(10**6, console=console)
  logger._progress.get_time = lambda: next(clock)
  logger.log(999_000, {})
  logger.log(999_100, {})
  logger.close()
  speed = logger._progress.tasks[0].speed
  # fails if the steps of the run before count: hundreds of thousands a second.
  assert speed is None or speed <= 100
