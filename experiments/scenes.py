"""Training and evaluation for scenes that are known by posed views.

The same methods, objective and training loop as for images: a signal is rays of
some views of a scene, its values are their pixels, and what a method adapts is
a field of density and colour that `networks.scene` renders. As in Functa
(Dupont et al., 2022) the loss after adaptation is that of the rays adapted to,
unless `signal.num_target_rays` asks for others.
"""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from experiments import build, evaluation, scene_quality, training
from inrjax import data, train
from inrjax.adapt import gradient as gradient_lib
from inrjax.codec import errors
from inrjax.data import posed_views
from inrjax.meta import method as method_lib
from inrjax.meta import objectives
from inrjax.networks import rendering, scene
from inrjax.train import parallel
from inrjax.types import Adapted, Array, Context, Metrics, PyTree


class SceneSource(Protocol):
  """Anything with a length that gives one scene per index."""

  def __len__(self) -> int:
    """Number of scenes."""

  def __getitem__(self, index: int) -> np.ndarray:
    """`data.posed_views.packed` views `[V]` of the scene in `[0, len)`."""

  def division(
    self, index: int, *, num_held_out: int, seed: int
  ) -> scene_quality.Division:
    """Given and held-out views of a scene."""


@contextlib.contextmanager
def reading() -> Iterator[None]:
  """What a source refuses ends a launcher in one line."""
  try:
    yield
  except data.SceneError as error:
    raise errors.UnsupportedSignalError(str(error)) from error


@dataclasses.dataclass(frozen=True)
class RaySampler:
  """Draws the rays of one step; an augmentation of `data.make_pipeline`.

  Differs from Functa: every ray's pixel is drawn for itself, without
  replacement, not the same pixels of all the step's views.

  Attributes:
    num_views: of a scene, drawn for each step.
    num_rays: R, of these views.
    num_target_rays: of other views, at the end of the R.
    jitter: whether rays bring depths drawn in each of `num_samples` intervals
      (NeRF eq. 2); else they are sampled at the intervals' middles.
    near: where rays begin.
    far: where they end.
    num_samples: S.
  """

  num_views: int
  num_rays: int
  num_target_rays: int
  jitter: bool
  near: float
  far: float
  num_samples: int

  def __post_init__(self) -> None:
    if min(self.num_views, self.num_rays) < 1 or self.num_target_rays < 0:
      raise ValueError(
        "signal needs num_views and num_rays of at least 1 and num_target_rays "
        f"of at least 0, got {self.num_views}, {self.num_rays} and "
        f"{self.num_target_rays}."
      )
    rendering.check_interval(self.near, self.far, self.num_samples)

  def __call__(self, rng: np.random.Generator, crops: np.ndarray) -> np.ndarray:
    """Packed views `[1, V]` to rays and colours `[1, R, 9]`.

    With jitter `[1, R, 9 + S]`: origin, direction, depths, colour.
    """
    views = posed_views.unpacked(crops[0])
    order = rng.permutation(len(views.pictures))
    parts = [self._rays(rng, views, order[: self.num_views], self.num_rays)]
    if self.num_target_rays:
      rest = order[self.num_views :]
      parts.append(self._rays(rng, views, rest, self.num_target_rays))
    rays = np.concatenate(parts)
    if self.jitter:
      places = rng.random((len(rays), self.num_samples), np.float32)
      width = (self.far - self.near) / self.num_samples
      depths = self.near + width * (places + np.arange(self.num_samples))
      rays = np.concatenate([rays[:, :6], depths, rays[:, 6:]], axis=1)
    return rays.astype(np.float32)[np.newaxis]

  def _rays(
    self,
    rng: np.random.Generator,
    views: data.Scene,
    chosen: np.ndarray,
    count: int,
  ) -> np.ndarray:
    pixels_of_view = int(np.prod(views.pictures.shape[1:3]))
    available = len(chosen) * pixels_of_view
    if count > available:
      raise errors.UnsupportedSignalError(
        f"A scene has {len(views.pictures)} views; {len(chosen)} of them have "
        f"{available} rays, fewer than the {count} of a step. Lower "
        "signal.num_rays, signal.num_target_rays or signal.num_views."
      )
    places = rng.choice(available, count, replace=False)
    view, pixel = np.divmod(places, pixels_of_view)
    return posed_views.pixels_with_rays(
      views, chosen[view] * pixels_of_view + pixel
    )


@build.of_config()
def make_method(config: build.Section) -> method_lib.Method:
  """The method of rays (section `scene` besides those of `build`)."""
  method = build.make_method(config)
  return dataclasses.replace(
    method, network=scene.make_scene(method.network, **config["scene"])
  )


def make_objective(
  config: build.Section, method: method_lib.Method
) -> objectives.Objective:
  """The loss after adaptation: of the same rays, or of other views' rays."""
  num_rays = config["signal"]["num_rays"]
  has_targets = config["signal"]["num_target_rays"] > 0

  def as_context(rays: Array) -> Context:
    return Context(rays[:, :-3], rays[:, -3:])

  def of_targets(
    key: Array, params: method_lib.Outer, noise: PyTree, context: Context
  ) -> tuple[Array, Adapted, Metrics]:
    given, targets = (
      jax.tree.map(lambda x, part=part: x[part], context)
      for part in (slice(num_rays), slice(num_rays, None))
    )
    adapted = method.adapt(key, params, noise, given)
    found = method.apply(params.shared, adapted.fast, targets.coords)
    loss = gradient_lib.squared_error(found, targets.values)
    return loss, adapted, {"target_psnr": -10 * jnp.log10(loss)}

  tile = config["outer"]["task_tile"]
  if has_targets:
    return objectives.of_signals(method, as_context, of_targets, task_tile=tile)
  return objectives.post_adaptation(method, as_context, task_tile=tile)


@dataclasses.dataclass(frozen=True)
class Run:
  """One config in one working folder; see `launch.Run`.

  Attributes:
    config: the config as plain nested mappings.
    workdir: the working folder.
    load: the scenes of a split, by name.
    trained_in: the working folder whose checkpoint is evaluated; None is this
      run's own.
  """

  config: build.Section
  workdir: pathlib.Path
  load: Callable[[str], SceneSource]
  trained_in: pathlib.Path | None = None

  def meta_learn(self) -> None:
    """Meta-learns, from the newest checkpoint if there is one."""
    training.fit(
      self.config,
      self.workdir,
      self._problem,
      self._batches(),
      evaluate_fn=self._validation,
    )

  @build.of_config()
  def measure(self) -> None:
    """Writes and prints novel-view PSNR and bytes; draws `views.png`."""
    settings = self.config["evaluate"]
    source = self.load("test")
    quantise = dict(settings["quantise"])
    num_given = quantise["num_given_views"]
    most = max(num_given, *settings["num_given_views"])
    scenes = self._divisions(source, settings["num_scenes"], most)
    outer, kept = self._outer()
    record = {
      "num_modulations": int(kept.sum()),
      "num_modulations_wanted": self.config["num_modulations"],
      "num_scenes": len(scenes),
      "num_held_out_views": len(scenes[0].held_out.pictures),
      "unquantised": scene_quality.novel_views(
        self._adapter,
        outer,
        scenes,
        num_given_views=settings["num_given_views"],
        num_steps=settings["num_steps"],
        ema_decays=settings["ema_decays"],
      ),
    }
    adapter = self._adapter.with_steps(
      quantise.pop("num_steps"), quantise.pop("ema_decay")
    )
    count = quantise.pop("num_training_scenes")
    if count:
      record["quantised"] = scene_quality.quantised(
        adapter,
        outer,
        scenes,
        self._training_scenes(count, num_given),
        kept,
        **quantise,
      )
    training.write_record(self.workdir, record)
    if parallel.is_primary():
      for name in ("unquantised", "quantised"):
        if name in record:
          print(f"\n{name}\n{evaluation.table(record[name])}", end="")
      drawn = scenes[: settings["num_pictures"]]
      if drawn:
        path = self.workdir / "views.png"
        scene_quality.draw(
          path, adapter, outer, drawn, num_given_views=num_given
        )
        print(f"Wrote {path}")

  def write_model(self) -> None:
    """Refuses: the codec takes values on grids.

    Raises:
      errors.UnsupportedSignalError: always.
    """
    raise errors.UnsupportedSignalError(
      "Scenes have no codec, since it stores values on grids; "
      "--mode=evaluate says how many bytes a scene takes."
    )

  @functools.cached_property
  def _method(self) -> method_lib.Method:
    return make_method(self.config)

  @functools.cached_property
  def _problem(self) -> build.Problem:
    return build.make_problem(
      self.config,
      self._method,
      objective=make_objective(self.config, self._method),
      num_values=3 * self.config["signal"]["num_rays"],
    )

  def _batches(self) -> Any:
    ray = self.config["scene"]
    with build.of_config():
      sampler = RaySampler(
        **self.config["signal"],
        near=ray["near"],
        far=ray["far"],
        num_samples=ray["num_samples"],
      )
    return data.make_pipeline(
      self.load("train"),
      seed=self.config["seed"],
      augment=(sampler,),
      shard_index=jax.process_index(),
      shard_count=jax.process_count(),
      **self.config["data"]["pipeline"],
    )

  def _divisions(
    self, source: SceneSource, count: int | None, num_given: int
  ) -> list[scene_quality.Division]:
    """The first scenes of a source (all for None), and no view too many."""
    num_held_out = self.config["evaluate"]["num_held_out_views"]
    divisions = []
    for index in range(min(len(source), count or len(source))):
      division = source.division(
        index, num_held_out=num_held_out, seed=self.config["seed"]
      )
      divisions.append(division._replace(given=division.first(num_given)))
    return divisions

  def _training_scenes(
    self, count: int, num_given: int
  ) -> Iterator[data.Scene]:
    source = self.load("train")
    for index in range(min(len(source), count)):
      # Held-out views play no part here: as many are given as in the test.
      division = source.division(
        index, num_held_out=1, seed=self.config["seed"]
      )
      yield division.first(num_given)

  def _outer(self) -> tuple[method_lib.Outer, np.ndarray]:
    """What was trained, its gates fixed, and which values are stored."""
    state = training.trained(
      self.config, self.workdir, self._problem.state, self.trained_in
    )
    budget = self.config["evaluate"].get("max_modulations")
    return evaluation.fix_gates(
      self._method, jax.device_get(state.params), max_modulations=budget
    )

  @functools.cached_property
  def _adapter(self) -> scene_quality.Adapter:
    settings = self.config["evaluate"]
    return scene_quality.Adapter(
      self._method,
      num_rays=settings["num_rays"],
      rays_per_call=settings["rays_per_call"],
      seed=self.config["seed"],
    )

  @functools.cached_property
  def _validated(self) -> list[scene_quality.Division]:
    with build.of_config():
      return self._divisions(
        self.load("validation"),
        self.config["evaluate"]["num_validation_scenes"],
        self.config["signal"]["num_views"],
      )

  def _validation(self, state: train.TrainState) -> dict[str, float]:
    """Novel-view PSNR, with the views and inner steps of training."""
    (record,) = scene_quality.novel_views(
      self._adapter,
      jax.device_get(state.params),
      self._validated,
      num_given_views=(self.config["signal"]["num_views"],),
      num_steps=(self.config["inner"]["num_steps"],),
      ema_decays=(1.0,),
    )
    return {
      "validation_psnr": record["psnr"],
      "validation_given_psnr": record["given_psnr"],
    }
