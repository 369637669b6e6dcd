"""What a trained method makes of views that a fit has not seen.

A new scene is adapted to a few given views of it and rendered along the rays of
others: novel-view PSNR, by number of given views and inner steps, and with the
fast parameters rounded to b bits as in appendix D.1 of Schwarz & Teh (2022), so
that a scene has a size in bytes.
"""

import copy
import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import flatten_util

from experiments import evaluation
from inrjax import data, evaluate
from inrjax.evaluate import files
from inrjax.meta import method as method_lib
from inrjax.types import Context

# An original picture and what is rendered for it.
_Pair = tuple[np.ndarray, np.ndarray]


class Division(NamedTuple):
  """The views of one scene.

  Attributes:
    given: those a fit may see, in the order in which they are given.
    held_out: those it is judged by.
  """

  given: data.Scene
  held_out: data.Scene

  def first(self, num_given: int) -> data.Scene:
    """The given views, so many of them.

    Args:
      num_given: how many.

    Raises:
      ValueError: if there are not so many.
    """
    available = len(self.given.pictures)
    if not 1 <= num_given <= available:
      raise ValueError(
        f"A scene has {available} views that can be given, of which "
        f"{num_given} are asked for; change num_given_views, or hold out fewer."
      )
    return some_views(self.given, np.arange(num_given))


def some_views(scene: data.Scene, chosen: np.ndarray) -> data.Scene:
  """A scene with some of its views, in the order of `chosen`."""
  return scene._replace(
    pictures=scene.pictures[chosen], poses=scene.poses[chosen]
  )


def divide(
  scene: data.Scene, *, num_held_out: int, rng: np.random.Generator
) -> Division:
  """Holds views out, at random.

  Args:
    scene: all views.
    num_held_out: how many are held out.
    rng: of the choice, and of the order of the others.

  Raises:
    ValueError: unless at least one view is left on each side.
  """
  count = len(scene.pictures)
  if not 0 < num_held_out < count:
    raise ValueError(
      f"{num_held_out} views are to be held out of {count}; hold out from 1 to "
      f"{count - 1}."
    )
  order = rng.permutation(count)
  return Division(
    some_views(scene, order[num_held_out:]),
    some_views(scene, order[:num_held_out]),
  )


class Adapter:
  """Fits scenes and renders them, by one compiled program each."""

  def __init__(
    self,
    method: method_lib.Method,
    *,
    num_rays: int,
    rays_per_call: int,
    seed: int,
  ):
    """Compiles on the first use.

    Args:
      method: of rays.
      num_rays: that a fit sees, drawn from those of all given views; where
        there are fewer, all of them in turn.
      rays_per_call: rendered at a time.
      seed: of the draw.
    """
    # The method keeps arrays of its own; they must not be made in a trace.
    assert method.partition

    def colours(outer: method_lib.Outer, flat: Any, rays: Any) -> Any:
      _, unravel = flatten_util.ravel_pytree(method.initial_fast(outer))
      return method.apply(outer.shared, unravel(flat), rays)

    self._method, self._colours = method, jax.jit(colours)
    self._fits: dict[tuple[int, float | None], Callable[..., Any]] = {}
    self._num_rays, self._per_call = num_rays, rays_per_call
    self._seed = seed

  def with_steps(self, num_steps: int, ema_decay: float) -> "Adapter":
    """The same with other inner steps and averaging; 1 is the last iterate."""
    adapter = copy.copy(self)  # What is compiled is shared.
    adapter._method = dataclasses.replace(
      self._method,
      num_steps=num_steps,
      ema_decay=None if ema_decay == 1 else ema_decay,
    )
    assert adapter._method.partition
    return adapter

  def fit(self, outer: method_lib.Outer, scene: data.Scene) -> np.ndarray:
    """Fast parameters `[L]` float32 of the views of a scene."""
    rays = data.with_rays(scene).reshape(-1, 9)
    rng = np.random.default_rng(self._seed)
    chosen = np.resize(rng.permutation(len(rays)), self._num_rays)
    key = self._method.num_steps, self._method.ema_decay
    if key not in self._fits:
      self._fits[key] = jax.jit(_fit_of(self._method))
    return np.asarray(self._fits[key](outer, rays[chosen]))

  def render(
    self, outer: method_lib.Outer, fast: np.ndarray, scene: data.Scene
  ) -> np.ndarray:
    """The views of a scene `[V, H, W, 3]` uint8 as `fast` `[L]` shows them."""
    rays = data.with_rays(scene)[..., :6].reshape(-1, 6)
    colours = functools.partial(self._colours, outer, fast)
    # Of one shape: a scene with fewer rays would be compiled for anew.
    missing = max(0, self._per_call - len(rays))
    padded = np.concatenate([rays, np.repeat(rays[-1:], missing, axis=0)])
    found = evaluation.in_calls(colours, padded, self._per_call)[: len(rays)]
    pictures: np.ndarray = evaluate.as_uint8(found)
    return pictures.reshape(scene.pictures.shape)


def _fit_of(method: method_lib.Method) -> Callable[..., Any]:
  """`(outer, rays [R, 9]) -> fast parameters [L]`."""

  def fit(outer: method_lib.Outer, rays: Any) -> Any:
    context = Context(rays[:, :-3], rays[:, -3:])
    adapted = method.adapt(jax.random.key(0), outer, {}, context)
    return flatten_util.ravel_pytree(adapted.fast)[0]

  return fit


def novel_views(
  adapter: Adapter,
  outer: method_lib.Outer,
  scenes: Sequence[Division],
  *,
  num_given_views: Iterable[int],
  num_steps: Iterable[int],
  ema_decays: Iterable[float],
) -> list[evaluation.Record]:
  """PSNR after adaptation, nothing quantised.

  Args:
    adapter: fits and renders.
    outer: what training learned.
    scenes: what is fitted.
    num_given_views: numbers of views to give.
    num_steps: inner steps to try.
    ema_decays: alphas of MSCN D.2 to try; 1 is the last iterate.

  Returns:
    One record for each combination: "psnr" is that of held-out views,
    "given_psnr" that of given ones, as many of them as are held out at most.
  """
  records = []
  settings = itertools.product(num_steps, ema_decays)
  for (steps, decay), count in itertools.product(settings, num_given_views):
    fitting = adapter.with_steps(steps, decay)
    of_given: list[_Pair] = []
    of_held_out: list[_Pair] = []
    for scene in scenes:
      given = scene.first(count)
      fast = fitting.fit(outer, given)
      seen = some_views(
        given, np.arange(min(count, len(scene.held_out.pictures)))
      )
      of_given += _pairs(adapter, outer, fast, seen)
      of_held_out += _pairs(adapter, outer, fast, scene.held_out)
    records.append(
      {"num_given_views": count, "num_steps": steps, "ema_decay": decay}
      | evaluation.quality(*zip(*of_held_out, strict=True))
      | {"given_psnr": evaluate.mean_psnr(*zip(*of_given, strict=True))}
    )
  return records


def quantised(
  adapter: Adapter,
  outer: method_lib.Outer,
  scenes: Sequence[Division],
  training_scenes: Iterable[data.Scene],
  kept: np.ndarray,
  *,
  num_given_views: int,
  num_bits: Iterable[int],
  num_deviations: Iterable[float],
) -> list[evaluation.Record]:
  """Bytes of a scene (estimated) and novel-view PSNR, D.1.

  Args:
    adapter: fits and renders.
    outer: what training learned.
    scenes: what is fitted and stored.
    training_scenes: that the statistics come from, with as many views.
    kept: `[L]` bool, the fast parameters that are stored.
    num_given_views: views that fits see.
    num_bits: values of b.
    num_deviations: values of omega.

  Returns:
    One record per pair: "nominal_bytes" counts b bits for each value,
    "estimated_bytes" the cross-entropy under the training symbols'
    distribution.
  """
  known = np.stack([adapter.fit(outer, s)[kept] for s in training_scenes])
  given = [scene.first(num_given_views) for scene in scenes]
  found = np.stack([adapter.fit(outer, views)[kept] for views in given])
  records = []
  for bits, omega in itertools.product(num_bits, num_deviations):
    values, costs = evaluation.fixed_width(
      known, num_bits=bits, num_deviations=omega
    )(found)
    fast = np.zeros((len(found), kept.size), np.float32)
    fast[:, kept] = values
    pairs = [
      pair
      for one, scene in zip(fast, scenes, strict=True)
      for pair in _pairs(adapter, outer, one, scene.held_out)
    ]
    records.append(
      {
        "num_bits": bits,
        "num_deviations": omega,
        "nominal_bytes": float(kept.sum() * bits / 8),
        "estimated_bytes": float(costs.mean() / 8),
      }
      | evaluation.quality(*zip(*pairs, strict=True))
    )
  return records


def draw(
  path: pathlib.Path,
  adapter: Adapter,
  outer: method_lib.Outer,
  scenes: Sequence[Division],
  *,
  num_given_views: int,
  num_columns: int = 5,
) -> None:
  """Draws a given view and held-out ones above what is rendered.

  Args:
    path: the file to write.
    adapter: fits and renders.
    outer: what training learned.
    scenes: two rows each.
    num_given_views: views that fits see.
    num_columns: pictures in a row, at most.

  Raises:
    ImportError: when matplotlib is not installed.
  """
  try:
    from matplotlib.backends import backend_agg
    from matplotlib.figure import Figure
  except ImportError as error:
    raise ImportError(
      "figures need matplotlib: pip install 'inrjax[plots]'"
    ) from error

  shape = 2 * len(scenes), num_columns
  figure = Figure(
    figsize=(1.5 * shape[1] + 0.3, 1.65 * shape[0]), layout="constrained"
  )
  backend_agg.FigureCanvasAgg(figure)
  grid = figure.subplots(*shape, squeeze=False)
  for axes in grid.ravel():
    axes.axis("off")
  for row, scene in enumerate(scenes):
    given = scene.first(num_given_views)
    fast = adapter.fit(outer, given)
    views = [
      ("given", some_views(given, np.arange(1))),
      ("held out", scene.held_out),
    ]
    panels = [
      (name, *pair)
      for name, view in views
      for pair in _pairs(adapter, outer, fast, view)
    ]
    for column, (name, original, rendered) in enumerate(panels[:num_columns]):
      quality = evaluate.psnr(original, rendered)
      for below, (picture, title) in enumerate(
        ((original, name), (rendered, f"{quality:.1f} dB"))
      ):
        axes = grid[2 * row + below][column]
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(title, fontsize=8)
  with files.replacing(path) as place:
    figure.savefig(place, dpi=120)


def _pairs(
  adapter: Adapter,
  outer: method_lib.Outer,
  fast: np.ndarray,
  views: data.Scene,
) -> list[_Pair]:
  """Views and what is rendered for them."""
  rendered = adapter.render(outer, fast, views)
  return [*zip(views.pictures, rendered, strict=True)]
