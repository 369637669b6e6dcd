"""Meta-learns a global hyperprior that adapts to a clip in few steps.

`--model` is what `experiments.clic --mode=export` writes, from which training
starts; `--data_dir` is a folder of clips. Export writes a model file like that,
which `experiments.xiph --model` and `inrjax compress --adapt` take.

train     the RDM after a few steps on crops of clips falls (MAML)
evaluate  adapts both models to clips that were held out
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from experiments import (
  adaptations,
  build,
  evaluation,
  hyperprior,
  launch,
  training,
  xiph,
)
from inrjax import codec as codec_lib
from inrjax import data, train
from inrjax.adapt import gradient, links, loop
from inrjax.coords import video
from inrjax.data import video as clip_files
from inrjax.meta import instance_adaptive, meta_adaptive
from inrjax.quantize import spike_and_slab
from inrjax.train import parallel
from inrjax.types import Array, Metrics, PyTree

_GRADIENTS = {
  "mixed_mode": gradient.mixed_mode,
  "first_order": gradient.first_order,
}
_LINKS = {"adam": links.adam, "sgd": links.sgd}


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  num_frames: int,
  size: tuple[int, int],
  start: int,
  stride: int,
  held_out: int,
  held_out_frames: int,
) -> data.VideoFiles:
  """Clips below a folder; the last ones are for validation and test.

  Args:
    split: "train", "validation" or "test".
    data_dir: the folder.
    num_frames: of a clip for training, of which a random run is adapted to.
    size: height and width that frames are cut and resized to.
    start: the first frame.
    stride: frames from one that is taken to the next.
    held_out: clips that are not for training.
    held_out_frames: that are taken of each of these.

  Raises:
    VideoError: if there are not more clips than that.
  """
  if data_dir is None:
    raise data.VideoError("Clips are needed; give --data_dir=FOLDER.")
  paths = clip_files.find_clips(data_dir)
  if not 0 < held_out < len(paths):
    raise data.VideoError(
      f"{data_dir} holds {len(paths)} clips, of which {held_out} are held out: "
      "data.source.held_out must leave some for training, and at least one."
    )
  is_train = split == "train"
  chosen = paths[:-held_out] if is_train else paths[-held_out:]
  with build.of_config():
    return data.VideoFiles(
      chosen,
      num_frames=num_frames if is_train else held_out_frames,
      size=(int(size[0]), int(size[1])),
      start=start,
      stride=stride,
    )


@dataclasses.dataclass(frozen=True)
class Run(hyperprior.Run):
  """One config in one working folder; see `launch.Run`.

  Attributes:
    load: the clips of a split, by name.
    make_codec: the codec of the global model that training starts from.
  """

  load: Callable[[str], Any]
  make_codec: Callable[[], codec_lib.HyperpriorCodec] | None = None

  def meta_learn(self) -> None:
    """Trains on random crops of clips."""
    training.fit(
      self.config,
      self.workdir,
      self._problem(),
      self._clips("train", **self.config["data"]["pipeline"]),
      evaluate_fn=lambda state: {
        f"validation_{name}": value
        for name, value in self._adapted(state.params).items()
      },
      shown=("loss", "validation_rdm"),
    )

  def measure(self) -> None:
    """Writes and prints what crops of the clips held out take, adapted to."""
    rows = {
      "global": self._adapted(self.start.params),
      "learned": self._adapted(self.codec().params),
    }
    training.write_record(self.workdir, rows)
    if parallel.is_primary():
      print(
        evaluation.table([{"model": n} | row for n, row in rows.items()]),
        end="",
      )

  def codec(self) -> codec_lib.HyperpriorCodec:
    """The codec of what was learned."""
    state = training.trained(
      self.config, self.workdir, self._problem().state, self.trained_in
    )
    return codec_lib.HyperpriorCodec(
      self.start.config,
      jax.device_get(state.params),
      card={
        "config": dict(self.config),
        "steps": int(state.step),
        "started_from": self.start.model_id,
      },
    )

  @functools.cached_property
  def start(self) -> codec_lib.HyperpriorCodec:
    """Of the global model."""
    assert self.make_codec is not None
    return self.make_codec()

  @build.of_config()
  def _problem(self) -> build.Problem:
    """Objective, optimiser and initial state."""
    outer = dict(self.config["outer"])
    objective = meta_adaptive.post_adaptation(
      self._make_adapt, task_tile=outer.pop("task_tile")
    )
    outer["learning_rate"] = build.rate_by_step(
      outer.pop("schedule"),
      outer["learning_rate"],
      self.config["train"]["num_steps"],
    )
    optimizer = train.make_optimizer(**outer)
    # As one program: operation by operation it would be compiled for long.
    state = jax.jit(lambda key, p: train.init_state(key, p, optimizer))(
      jax.random.key(self.config["seed"]), self.start.params
    )
    return build.Problem(objective, optimizer, state)

  def _make_adapt(self, frame_shape: tuple[int, int, int]) -> loop.Adapt:
    """The inner loop (section `inner`)."""
    settings = dict(self.config["inner"])
    make_link = build.choose(_LINKS, settings.pop("link"), "inner.link")
    quantise = settings.pop("quantise")
    return meta_adaptive.make_adapt(
      hyperprior.model_of(self.start.config),
      make_link(settings.pop("learning_rate")),
      beta=self.config["beta"],
      frame_shape=frame_shape,
      prior=self._prior,
      gradient=build.choose(
        _GRADIENTS, settings.pop("gradient"), "inner.gradient"
      ),
      quantize_fn=build.choose(
        adaptations.QUANTIZERS, quantise, "inner.quantise"
      ),
      **settings,
    )

  @property
  def _prior(self) -> spike_and_slab.SpikeAndSlab:
    return spike_and_slab.SpikeAndSlab(**self.config["prior"])

  def _clips(self, split: str, **settings: Any) -> Any:
    """Crops `[B, T, P, P, C]` of clips, at one place in all frames."""
    side = self.config["signal"]["side"]
    frames = self.config["signal"]["num_frames"]
    for name in ("num_frames", "held_out_frames"):
      if frames > (found := self.config["data"]["source"][name]):
        raise build.ConfigError(
          f"signal.num_frames is {frames}, data.source.{name} {found}: a clip "
          "has to hold the frames that are adapted to."
        )
    return data.make_pipeline(
      self.load(split),
      seed=self.config["seed"],
      crop_size=(frames, side, side),
      shard_index=jax.process_index(),
      shard_count=jax.process_count(),
      **settings,
    )

  @functools.cached_property
  def _held_out(self) -> np.ndarray:
    """A crop of every clip for validation."""
    count = len(self.load("validation"))
    batches = self._clips("validation", batch_size=1)
    return np.concatenate([next(batches) for _ in range(count)])

  @functools.cached_property
  def _measured(self) -> Callable[..., Metrics]:
    model, prior = hyperprior.model_of(self.start.config), self._prior
    _, count, *frame_shape = self._held_out.shape
    height, width, channels = frame_shape
    adapt = self._make_adapt((height, width, channels))
    as_context = video.frame_context(count, height, width)

    @jax.jit
    def measured(params: PyTree, key: Array, clip: Array) -> Metrics:
      start = instance_adaptive.full_model(params)
      fast = adapt(key, params, start, {}, as_context(clip)).fast
      return instance_adaptive.measure(
        model, params, fast, hyperprior.as_images(clip), prior=prior
      )

    return measured

  def _adapted(self, params: PyTree) -> dict[str, float]:
    """Means over the clips held out, the change in its discrete rate."""
    key, found = jax.random.key(self.config["seed"]), []
    for index, clip in enumerate(self._held_out):
      row = jax.device_get(
        self._measured(params, jax.random.fold_in(key, index), clip)
      )
      rate = row["latent_rate"] + row["hyper_rate"]
      change = row["model_bits"] / self.config["inner"]["num_pixels"]
      rdm = self.config["beta"] * (rate + change) + row["mse"]
      found.append((rdm, row["psnr"], rate, change))
    names = ("rdm", "psnr", "rate", "model_rate")
    means = np.mean(found, axis=0)
    return {n: float(x) for n, x in zip(names, means, strict=True)}


if __name__ == "__main__":
  launch.main(load, functools.partial(Run, make_codec=xiph.global_model))
