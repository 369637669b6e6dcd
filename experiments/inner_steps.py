"""What training's inner steps do on a signal where contexts are pruned.

Which points they see (ECoP, Tack et al., 2023, figure 1), how errors are
distributed over the coordinates (figure 5), and what pruning does to the
gradient (figure 6).
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from PIL import Image

from experiments import build, test_time
from inrjax import evaluate
from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import tiles
from inrjax.evaluate import files, plots
from inrjax.meta import method as method_lib
from inrjax.types import Array, Context, PyTree

# Steps that the figures of errors and of points show, at most.
_STEPS_SHOWN = 5
_LEAST_WIDTH = 192  # Pixels of an image in a figure of points.
_RED = np.array([255, 0, 0], np.uint8)


class Step(NamedTuple):
  """One inner step of training on one signal, before its update.

  Attributes:
    decoded: `[N, C]`, what the network gives.
    errors: `[N]`, squared errors, mean over the channels.
    chosen: `[N]` bool, the points that the step sees.
    full_norm: norm of the full context's gradient, with respect to what the
      network gets.
    pruned_norm: norm of the gradient of the chosen points.
  """

  decoded: np.ndarray
  errors: np.ndarray
  chosen: np.ndarray
  full_norm: float
  pruned_norm: float


def trace(
  key: Array, method: method_lib.Method, outer: method_lib.Outer
) -> Callable[[Context], list[Step]]:
  """Looks at every inner step of a method as it trains.

  Args:
    key: for a selection that draws.
    method: the method as trained, with K steps.
    outer: what training learned.

  Returns:
    A function of a context, whose coordinates must all differ, to K + 1 steps:
    the last shows what the updates have led to. Compiled once.
  """
  one_step = dataclasses.replace(method, num_steps=1)
  no_step = dataclasses.replace(method, num_steps=0)
  assert one_step.partition and no_step.partition  # Made before the trace.

  def loss_fn(shared: PyTree, fast: PyTree, context: Context) -> Array:
    values = method.apply(shared, fast, context.coords)
    return gradient_lib.squared_error(values, context.values)

  loss_and_grad = gradient_lib.first_order(loss_fn)
  if method.point_tile is not None:
    loss_and_grad = tiles.tiled_gradient(
      gradient_lib.first_order, method.point_tile
    )(loss_fn)

  @jax.jit
  def look(key: Array, state: PyTree, context: Context) -> tuple[Any, PyTree]:
    at = no_step.adapt(key, outer, {}, context, start=state)
    values = test_time.decode(method, outer.shared, at.fast, context.coords)
    (step_key,) = jax.random.split(key, 1)  # As the loop does.
    part = method.select(step_key, outer.shared, at.fast, context)
    norms = [
      optax.tree.norm(loss_and_grad(outer.shared, at.fast, points)[1])
      for points in (context, part)
    ]
    further = one_step.adapt(key, outer, {}, context, start=state)
    return (values, part.coords, *norms), further.state

  @jax.jit
  def begin(context: Context) -> PyTree:
    return no_step.adapt(key, outer, {}, context).state

  def steps(context: Context) -> list[Step]:
    state, found = begin(context), []
    for index in range(method.num_steps + 1):
      looked, state = look(jax.random.fold_in(key, index), state, context)
      values, coords, full_norm, pruned_norm = jax.device_get(looked)
      errors = np.square(values - np.asarray(context.values)).mean(axis=1)
      chosen = _places(np.asarray(context.coords), coords)
      found.append(
        Step(values, errors, chosen, float(full_norm), float(pruned_norm))
      )
    return found

  return steps


def describe(
  config: build.Section,
  method: method_lib.Method,
  outer: method_lib.Outer,
  images: Sequence[np.ndarray],
  *,
  folder: pathlib.Path,
) -> dict[str, Any]:
  """Draws what training's steps do on images, and gives it in numbers.

  Writes `loss_by_coordinate.png`, `gradient_norms.png` and, of each image,
  `points_<i>.png` and `points_<i>.gif`. Where training saw all points there is
  nothing to show.

  Args:
    config: the whole config.
    method: the method as trained.
    outer: what training learned.
    images: `[P, P, C]` uint8 each.
    folder: where figures go.

  Returns:
    Mean over the images at each of the K steps: "full_norm" and "pruned_norm"
    of the gradients, and "share_of_error", the part of the squared error that
    the chosen points have. Empty where there is nothing to show.
  """
  kind = config.get("select", {"kind": "all"})["kind"]
  if kind == "all" or not len(images):
    return {}
  as_context = build.make_as_context(**config["signal"])
  look = trace(jax.random.key(config["seed"]), method, outer)
  traces = [look(as_context(image)) for image in images]
  ratio = float(traces[0][0].chosen.mean())
  errors_figure(
    folder / "loss_by_coordinate.png",
    np.mean([sorted_errors(steps) for steps in traces], axis=0),
    ratio=ratio,
  )
  # The step after the last update takes no gradient.
  numbers = {
    "full_norm": _mean_by_step(traces, lambda step: step.full_norm),
    "pruned_norm": _mean_by_step(traces, lambda step: step.pruned_norm),
    "share_of_error": _mean_by_step(traces, share_of_error),
  }
  norms_figure(
    folder / "gradient_norms.png", numbers["full_norm"], numbers["pruned_norm"]
  )
  for index, (image, steps) in enumerate(zip(images, traces, strict=True)):
    points_figure(folder / f"points_{index}.png", image, steps[:-1])
    points_animation(folder / f"points_{index}.gif", image, steps[:-1])
  return numbers


def sorted_errors(steps: Sequence[Step]) -> np.ndarray:
  """`[steps, N]`: the errors of each step, the largest first."""
  return -np.sort([-step.errors for step in steps], axis=1)


def share_of_error(step: Step) -> float:
  """The part of the squared error that the chosen points have, in [0, 1]."""
  total = float(step.errors.sum())
  return float(step.errors[step.chosen].sum()) / total if total else 1.0


def errors_figure(
  path: str | os.PathLike[str], errors: np.ndarray, *, ratio: float
) -> None:
  """Errors of the coordinates at some steps, sorted (ECoP figure 5).

  Args:
    path: the file to write.
    errors: `[steps, N]`, what `sorted_errors` gives.
    ratio: gamma, the part of the points that a step sees; it is shaded.
  """
  figure, axes = _axes("coordinates, sorted by error", "squared error")
  shown = _shown(len(errors))
  axes.axvspan(0, ratio * errors.shape[1], color="#EEEEEE", linewidth=0)
  for index, step in enumerate(shown):
    axes.plot(
      np.arange(errors.shape[1]),
      errors[step],
      color=plots._style(index, False).colour,
      label=f"step {step}",
    )
  # An error of zero, as in a picture's plain parts, has no logarithm.
  axes.set_yscale("log" if (errors[shown] > 0).all() else "linear")
  axes.legend(
    frameon=False,
    fontsize=9,
    title=f"seen: {100 * ratio:.3g} %",
    loc="lower center",  # Looking for the best place takes all points.
  )
  plots._save(figure, path)


def norms_figure(
  path: str | os.PathLike[str],
  full_norm: Sequence[float],
  pruned_norm: Sequence[float],
) -> None:
  """Norms of the gradient at each step of training (ECoP figure 6).

  Args:
    path: the file to write.
    full_norm: of the full context.
    pruned_norm: of the points that each step sees; as many.
  """
  figure, axes = _axes("step", "norm of the gradient")
  curves = {"full context": full_norm, "points seen": pruned_norm}
  for index, (name, norms) in enumerate(curves.items()):
    style = plots._style(index, False)
    axes.plot(
      range(len(norms)),
      norms,
      color=style.colour,
      marker=style.marker,
      markersize=style.size,
      label=name,
    )
  axes.set_ylim(bottom=0)
  axes.legend(frameon=False, fontsize=9)
  plots._save(figure, path)


def points_figure(
  path: str | os.PathLike[str], image: np.ndarray, steps: Sequence[Step]
) -> None:
  """The points that steps see, what is left to fit, and the fit (figure 1).

  A column for each step shown: the points in red on the image, the absolute
  difference, the reconstruction.

  Args:
    path: the file to write.
    image: `[H, W, C]` uint8.
    steps: of its fit.
  """
  panels = []
  for index in _shown(len(steps)):
    pictures = _pictures(image, steps[index])
    quality = evaluate.psnr(_in_colour(image), pictures[-1])
    column = _enlarged(np.concatenate(pictures), image.shape[1])
    panels.append((f"step {index}", f"{quality:.2f} dB", column))
  plots._panels(path, panels)


def points_animation(
  path: pathlib.Path, image: np.ndarray, steps: Sequence[Step]
) -> None:
  """The three pictures of `points_figure` side by side, step after step.

  Args:
    path: the GIF file to write.
    image: `[H, W, C]` uint8.
    steps: of its fit.
  """
  frames = [
    Image.fromarray(
      _enlarged(np.concatenate(_pictures(image, step), axis=1), image.shape[1])
    )
    for step in steps
  ]
  with files.replacing(path) as temporary:
    frames[0].save(
      temporary,
      format="GIF",
      save_all=True,
      append_images=frames[1:],
      duration=400,  # Milliseconds.
      loop=0,
    )


def marked(image: np.ndarray, chosen: np.ndarray) -> np.ndarray:
  """The image `[H, W, 3]` with points in red.

  Args:
    image: `[H, W, C]` uint8.
    chosen: `[H W]` bool.
  """
  places = chosen.reshape(*image.shape[:2], 1)
  return np.where(places, _RED, _in_colour(image))


def _places(coords: np.ndarray, chosen: np.ndarray) -> np.ndarray:
  """`[N]` bool: the rows of `coords` that are among those chosen."""
  both = np.concatenate([coords, chosen])
  _, number = np.unique(both, axis=0, return_inverse=True)
  number = number.reshape(-1)
  return np.isin(number[: len(coords)], number[len(coords) :])


def _mean_by_step(
  traces: Sequence[Sequence[Step]], of_step: Callable[[Step], float]
) -> list[float]:
  values = [[of_step(step) for step in steps[:-1]] for steps in traces]
  means: list[float] = np.mean(values, axis=0).tolist()
  return means


def _shown(count: int) -> list[int]:
  """Some of `count` steps, the first and the last among them."""
  places = np.linspace(0, count - 1, min(count, _STEPS_SHOWN))
  return [int(place) for place in np.rint(places)]


def _pictures(image: np.ndarray, step: Step) -> list[np.ndarray]:
  """Points seen, absolute difference and reconstruction, `[H, W, 3]` each."""
  decoded = evaluate.as_uint8(step.decoded.reshape(image.shape))
  difference = np.maximum(image, decoded) - np.minimum(image, decoded)
  return [
    marked(image, step.chosen),
    _in_colour(difference),
    _in_colour(decoded),
  ]


def _enlarged(picture: np.ndarray, width: int) -> np.ndarray:
  """The picture by a whole factor, so that `width` pixels can be looked at."""
  scale = max(1, -(-_LEAST_WIDTH // width))
  return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def _in_colour(image: np.ndarray) -> np.ndarray:
  return image.repeat(3, axis=2) if image.shape[2] == 1 else image


def _axes(x_label: str, y_label: str) -> tuple[Any, Any]:
  figure = plots._figure(6.0, 4.0, dpi=150)
  figure.set_layout_engine("constrained")
  axes = figure.add_subplot()
  axes.set_xlabel(x_label)
  axes.set_ylabel(y_label)
  axes.grid(True, color="#DDDDDD", linewidth=0.7)
  axes.set_axisbelow(True)
  for side in ("top", "right"):
    axes.spines[side].set_visible(False)
  return figure, axes
