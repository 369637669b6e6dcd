"""What a run reaches on its way, by the checkpoints that it keeps.

PSNR of test images by training time (ECoP, Tack et al., 2023, figure 9), and of
training's own fits beside their bootstrapped targets (figure 7).
"""

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import build, evaluation, test_time, weight_figures
from inrjax.adapt import loop
from inrjax.meta import bootstrap
from inrjax.meta import method as method_lib
from inrjax.types import Array, Context

_LOG = "log.jsonl"


class Progress(NamedTuple):
  """A method's checkpoints over seeds.

  Attributes:
    steps: `[T]` outer steps.
    minutes: `[T]` of training, mean over seeds; NaN where no log tells.
    psnr: `[seeds, T]` at test time.
    trained: `[seeds, T]` of training's own fits.
    target: `[seeds, T]` of their targets; NaN where there are none.
  """

  steps: np.ndarray
  minutes: np.ndarray
  psnr: np.ndarray
  trained: np.ndarray
  target: np.ndarray


def describe(
  config: build.Section,
  method: method_lib.Method,
  outers: Mapping[int, method_lib.Outer],
  images: Sequence[np.ndarray],
  *,
  folder: pathlib.Path | None = None,
) -> list[evaluation.Record]:
  """Measures every checkpoint.

  Args:
    config: the whole config.
    method: the method as trained.
    outers: what training had learned, by step.
    images: `[P, P, C]` uint8 each.
    folder: whose log tells the time; None is unknown.

  Returns:
    Of each checkpoint the "step", the "seconds" of training until then (None
    where no log tells), and mean PSNRs in dB of values that are not rounded:
    "psnr" as at test time, "psnr_in_training" as training fits, and
    "psnr_of_target" of the bootstrapped target, None where there is none.
  """
  as_context = build.make_as_context(**config["signal"])
  elapsed = seconds_by_step(folder) if folder is not None else {}
  target = build.make_target(config, method)
  first = config["evaluate"]["fit"]["gradients"][0]
  losses = _make_losses(
    method, test_time.make_method(config, method, first), target
  )
  key = jax.random.key(config["seed"])

  @jax.jit
  def measure(outer: method_lib.Outer, batch: Any) -> Array:
    one = lambda image: losses(key, outer, as_context(image))  # noqa: E731
    return loop.over_signals(one, task_tile=1)(batch)

  found = []
  for step, outer in outers.items():
    mse = np.asarray(measure(outer, np.stack(images)))
    psnrs = np.mean(-10 * np.log10(mse), axis=0)
    tested, trained, *reached = (float(x) for x in psnrs)
    found.append(
      {
        "step": step,
        "seconds": elapsed.get(step),
        "psnr": tested,
        "psnr_in_training": trained,
        "psnr_of_target": reached[0] if reached else None,
      }
    )
  return found


def seconds_by_step(folder: pathlib.Path) -> dict[int, float]:
  """Seconds of training until each step in a run's log.

  All steps do the same, so their number and the median of the speeds in the log
  tell: compilation, and what else ran on the machine at times, do not count.

  Args:
    folder: the working folder.
  """
  path = folder / _LOG
  if not path.is_file():
    return {}
  rows = [json.loads(line) for line in path.read_text().splitlines()]
  name = "steps_per_second"
  speeds = {row["step"]: row[name] for row in rows if name in row}
  if not speeds:
    return {}
  speed = float(np.median([*speeds.values()]))
  return {row["step"]: row["step"] / speed for row in rows}


def collect(
  results: Mapping[str, Mapping[str, Any]],
) -> dict[str, Progress]:
  """The checkpoints of each method, of runs that have several.

  Args:
    results: by "method/setting/seed", of one setting.
  """
  groups: dict[str, list[Any]] = {}
  for name, result in results.items():
    rows = result.get("progress", [])
    if len(rows) > 1:
      groups.setdefault(name.split("/")[0], []).append(rows)
  return {method: _progress(same) for method, same in groups.items()}


def draw(
  found: Mapping[str, Progress], folder: pathlib.Path, *, title: str
) -> None:
  """Writes `training_time.png` and `targets.png`, as far as there is anything.

  Args:
    found: checkpoints by method.
    folder: where figures go.
    title: above the axes.
  """
  timed = {m: one for m, one in found.items() if np.isfinite(one.minutes).all()}
  if timed:
    weight_figures.lines_figure(
      folder / "training_time.png",
      {m: (one.minutes, one.psnr) for m, one in timed.items()},
      title=title,
      x_label="minutes of training",
    )
  lines = {}
  for method, one in found.items():
    if np.isfinite(one.target).all():
      lines[f"{method}, fit"] = one.steps, one.trained
      lines[f"{method}, target"] = one.steps, one.target
  if lines:
    weight_figures.lines_figure(
      folder / "targets.png", lines, title=title, x_label="outer steps"
    )


def rows(found: Mapping[str, Progress]) -> list[list[str]]:
  """The checkpoints as a table, titles first, means over seeds.

  Args:
    found: checkpoints by method.
  """
  table = [["method", "step", "minutes", "PSNR", "in training", "of target"]]
  for method, one in found.items():
    columns = (one.steps, one.minutes) + tuple(
      values.mean(axis=0) for values in (one.psnr, one.trained, one.target)
    )
    for step, *numbers in zip(*columns, strict=True):
      cells = (f"{x:.2f}" if np.isfinite(x) else "-" for x in numbers)
      table.append([method, f"{step:.0f}", *cells])
  return table


def _make_losses(
  method: method_lib.Method,
  tested: method_lib.Method,
  target: bootstrap.Target | None,
) -> Callable[[Array, method_lib.Outer, Context], Array]:
  """Losses `[2 or 3]` of a context: at test time, in training, the target's."""
  # Made before any trace: methods keep arrays of their own.
  assert method.partition and tested.partition
  further = None if target is None else target.method(method)
  assert further is None or further.partition

  def losses(key: Array, outer: method_lib.Outer, context: Context) -> Array:
    found = [tested.adapt(key, outer, {}, context).losses[-1]]
    trained = method.adapt(key, outer, {}, context)
    found.append(trained.losses[-1])
    if further is not None:
      further_key = jax.random.fold_in(key, method.num_steps)
      reached = further.adapt(
        further_key, outer, {}, context, start=trained.state
      )
      found.append(reached.losses[-1])
    return jnp.stack(found)

  return losses


def _progress(runs: Sequence[Sequence[Mapping[str, Any]]]) -> Progress:
  def values(name: str) -> np.ndarray:
    return np.array([[row[name] for row in rows] for rows in runs], float)

  return Progress(
    steps=values("step")[0],
    minutes=values("seconds").mean(axis=0) / 60,
    psnr=values("psnr"),
    trained=values("psnr_in_training"),
    target=values("psnr_of_target"),
  )
