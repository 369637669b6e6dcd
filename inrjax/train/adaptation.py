"""Adapting a hyperprior codec to one clip, by the training loop.

The objective of `meta.instance_adaptive` is what the loop minimises; what that
calls fast is what the optimiser learns, and the global model is the carry. So
checkpoints, resumption and Adam's state are those of any training. Algorithm 1
of van Rozendaal et al. (2021) is `of_model` in `train.loop.train` and then
`adapted_codec(...).compress_many`.

Differs from the paper: every frame is seen once before one is seen again, and a
step sees a crop of it where the batches are crops, with the same objective per
pixel. A step on latents sees all frames, since Adam's moments would move those
that it does not see.
"""

import pathlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from inrjax.adapt import batch as batch_lib
from inrjax.adapt import gradient as gradient_lib
from inrjax.codec import (
  errors,
  hyperprior_codec,
  latent_coder,
  latent_update,
)
from inrjax.coords import select, video
from inrjax.meta import (
  gated_update,
  instance_adaptive,
  objectives,
  rate_distortion,
)
from inrjax.quantize import spike_and_slab
from inrjax.train import checkpoint
from inrjax.train import step as step_lib
from inrjax.types import Array, Metrics, PyTree

_PRIOR = spike_and_slab.SpikeAndSlab()
# Of images and numbers of frames: `(shared, fast, [1, H, W, C], []) -> ...`
MeasureFn = Callable[[PyTree, PyTree, Array, Array], Metrics]


class UnadaptedWarning(UserWarning):
  """The file is that of the model before adaptation, because it is smaller."""


class DivergedWarning(UserWarning):
  """Adaptation met a value that is not finite; what was best before is kept."""


class Adaptation(NamedTuple):
  """One way of adapting.

  Attributes:
    objective: of a batch of frames or crops `[B, H, W, C]` uint8; its carry is
      the global model's parameters.
    start: what is learned, at its start.
    measure: of one frame `[1, H, W, C]` in [0, 1] and its number, what
      `instance_adaptive.measure` gives.
  """

  objective: objectives.Objective
  start: PyTree
  measure: MeasureFn


def of_model(
  model: rate_distortion.RateModel,
  params: PyTree,
  *,
  beta: float,
  num_pixels: int,
  prior: spike_and_slab.SpikeAndSlab = _PRIOR,
  quantize_fn: instance_adaptive.QuantizeFn = spike_and_slab.quantize_tree,
  rate_fn: spike_and_slab.BitsFn | None = spike_and_slab.continuous_bits,
  learn_scales: bool = False,
) -> Adaptation:
  """The whole model: eq. 2. What is measured is always rounded and counted.

  Args:
    model: network and rate model.
    params: the global model's.
    beta: weight of the rates.
    num_pixels: of all frames together.
    prior: of the change.
    quantize_fn: how the change is rounded while it is learned.
    rate_fn: its bits then; None leaves them out.
    learn_scales: whether every tensor gets a slab of its own.
  """

  def make_loss(frame_shape: tuple[int, int, int]) -> gradient_lib.LossFn:
    return instance_adaptive.rdm_loss(
      model,
      beta=beta,
      frame_shape=frame_shape,
      num_pixels=num_pixels,
      prior=prior,
      quantize_fn=quantize_fn,
      rate_fn=rate_fn,
    )

  def measure(
    shared: PyTree, fast: PyTree, images: Array, index: Array
  ) -> Metrics:
    del index
    return instance_adaptive.measure(model, shared, fast, images, prior=prior)

  start = instance_adaptive.full_model(params, learn_scales=learn_scales)
  return Adaptation(of_frames(make_loss), start, measure)


def of_encoder(
  model: rate_distortion.RateModel, params: PyTree, *, beta: float
) -> Adaptation:
  """The transmitter alone, which costs no bits; arguments as `of_model`."""
  whole = of_model(model, params, beta=beta, num_pixels=1)
  return whole._replace(start=instance_adaptive.transmitter_only(params))


def of_latents(
  model: rate_distortion.RateModel,
  params: PyTree,
  frames: np.ndarray,
  *,
  beta: float,
) -> Adaptation:
  """The latents themselves (Campos et al., 2019), from the encoder's.

  Args:
    model: network and rate model.
    params: the global model's.
    frames: `[T, H, W, C]` uint8; every batch has to be all of them, in order.
    beta: weight of the rate.
  """
  loss_fn = instance_adaptive.latent_loss(
    model, beta=beta, frame_shape=frames.shape[1:]
  )
  as_context = video.frame_context(1, *frames.shape[1:3])
  seeded = instance_adaptive.seeded(select.full_context)

  def objective(
    key: Array, params: PyTree, carry: PyTree, batch: PyTree
  ) -> tuple[Array, tuple[Metrics, PyTree]]:
    count = len(frames)
    if batch.shape[0] != count:
      raise ValueError(
        f"A batch has {batch.shape[0]} frames, the clip {count}: latents need "
        "all of them in every batch."
      )

    def one(
      fast: PyTree, key: Array, frame: Array, index: Array
    ) -> tuple[dict[str, Array], PyTree]:
      own = _latents_of(fast, index)
      context = seeded(key, carry, own, as_context(frame[None]))
      return {"loss": loss_fn(carry, own, context)}, ()

    signals = (jax.random.split(key, count), batch, jnp.arange(count))
    terms, _ = batch_lib.mean_over_signals(one, params, signals, task_tile=1)
    return terms["loss"], ({}, carry)

  def measure(
    shared: PyTree, fast: PyTree, images: Array, index: Array
  ) -> Metrics:
    own = _latents_of(fast, index)
    found = rate_distortion.metrics(model.terms(None, shared, own, images))
    none = {"model_bits": jnp.zeros(()), "zero_bits": jnp.zeros(())}
    return found | none

  analyse = jax.jit(lambda p, frame: model.analyse(p, _unit(frame[None])))
  found = [jax.device_get(analyse(params, frame)) for frame in frames]
  start = jax.tree.map(lambda *parts: np.concatenate(parts), *found)
  return Adaptation(objective, start, measure)


def whole_frames(frames: np.ndarray) -> Iterator[np.ndarray]:
  """Batches for `of_latents`, which resume wherever they are."""
  return _AllFrames(frames)


def of_frames(
  make_loss: Callable[[tuple[int, int, int]], gradient_lib.LossFn],
) -> objectives.Objective:
  """The loss of an inner loop as an outer objective.

  Args:
    make_loss: of (H, W, C) of what a batch holds, frames or crops.
  """
  seeded = instance_adaptive.seeded(select.full_context)

  def objective(
    key: Array, params: PyTree, carry: PyTree, batch: PyTree
  ) -> tuple[Array, tuple[Metrics, PyTree]]:
    count, height, width, channels = batch.shape
    context = video.frame_context(count, height, width)(jnp.asarray(batch))
    context = seeded(key, carry, params, context)
    loss = make_loss((height, width, channels))(carry, params, context)
    return loss, ({}, carry)

  return objective


def make_measure(
  adaptation: Adaptation, shared: PyTree, frames: np.ndarray, *, beta: float
) -> Callable[[PyTree], dict[str, float]]:
  """What a clip takes, frame by frame, all latents rounded.

  Args:
    adaptation: what is learned.
    shared: the global model's parameters.
    frames: `[T, H, W, C]` uint8.
    beta: weight of the rates.

  Returns:
    `(fast) -> metrics`, means over frames: "mse", "psnr" (mean over frames),
    "rate", "latent_rate", "hyper_rate", "model_rate" and "zero_rate" (M_0) in
    bits per pixel, and "rdm", eq. 2 with the discrete rate of the change.
  """
  num_pixels = frames[..., 0].size
  # An argument, since what a program closes over is compiled into it.
  shared = jax.device_put(shared)
  measured = jax.jit(
    lambda shared, fast, frame, index: adaptation.measure(
      shared, fast, _unit(frame[None]), index
    )
  )

  def measure(fast: PyTree) -> dict[str, float]:
    rows = [
      jax.device_get(measured(shared, fast, frame, index))
      for index, frame in enumerate(frames)
    ]
    found = {
      name: float(np.mean([row[name] for row in rows], dtype=np.float64))
      for name in rows[0]
    }
    for bits, rate in (
      ("model_bits", "model_rate"),
      ("zero_bits", "zero_rate"),
    ):
      found[rate] = found.pop(bits) / num_pixels
    total = found["rate"] + found["model_rate"]
    return found | {"rdm": beta * total + found["mse"]}

  return measure


class Best:
  """What has the lowest RDM so far: the paper's choice of a model.

  Attributes:
    fast: what was learned then, on the host.
    measured: its metrics.
    step: when that was.
    unadapted: RDM of the global model, without a change and its cost.
  """

  def __init__(
    self,
    measure: Callable[[PyTree], dict[str, float]],
    start: PyTree,
    *,
    beta: float,
    folder: pathlib.Path | None = None,
  ):
    """Begins with the start, or with what a folder keeps.

    Args:
      measure: as `make_measure` gives it.
      start: as of an `Adaptation`, finite.
      beta: weight of the rates.
      folder: where the best is kept beside memory; None for nowhere.
    """
    self._measure = measure
    self.fast, self.measured, self.step = start, measure(start), 0
    self.unadapted = self.measured["rdm"] - beta * self.measured["model_rate"]
    self._checkpointer = None
    if folder is not None:
      self._checkpointer = checkpoint.Checkpointer(folder, keep=1)
      kept = self._checkpointer.restore(_as_state(0, start))
      if kept is not None:
        self.fast, self.step = kept.state.params, int(kept.state.step)
        self.measured = measure(self.fast)

  @property
  def improves(self) -> bool:
    """Whether this is better than the global model."""
    return self.measured["rdm"] < self.unadapted

  def offer(self, state: step_lib.TrainState) -> dict[str, float]:
    """Measures a state, and keeps it if it is the best; gives the metrics."""
    measured = self._measure(state.params)
    if measured["rdm"] < self.measured["rdm"]:
      # A copy: the next step takes the state's memory.
      self.fast = jax.tree.map(lambda leaf: np.array(leaf), state.params)
      self.measured, self.step = measured, int(state.step)
      if self._checkpointer is not None:
        self._checkpointer.save(_as_state(self.step, self.fast))
    return measured


def adapted_codec(
  codec: hyperprior_codec.HyperpriorCodec,
  fast: PyTree,
  prior: spike_and_slab.SpikeAndSlab = _PRIOR,
) -> hyperprior_codec.HyperpriorCodec:
  """The codec of what was learned; `codec` reads its files.

  Args:
    codec: of the global model.
    fast: as an `Adaptation` learns it.
    prior: of the change.
  """
  if isinstance(fast, rate_distortion.Latents):
    return _CodecOfLatents(codec, fast)
  update, fast = None, gated_update.settled(fast)
  if "delta" in fast:
    update = latent_update.quantize(
      prior, fast["delta"], fast.get("log_scales")
    )
  transmitter = jax.tree.map(np.asarray, fast["transmitter"])
  return codec.adapted(update, transmitter)


def compress(
  codec: hyperprior_codec.HyperpriorCodec,
  best: Best,
  frames: Sequence[np.ndarray],
  *,
  prior: spike_and_slab.SpikeAndSlab = _PRIOR,
  names: Sequence[str] | None = None,
) -> bytes:
  """The file of the best model, unless that of the global one is smaller.

  Args:
    codec: of the global model.
    best: what was learned.
    frames: `[H, W, C]` uint8 each.
    prior: of the change.
    names: stored with the frames.

  Returns:
    A file that `codec` reads; with an `UnadaptedWarning` one of its own.
  """
  plain = codec.compress_many(frames, names=names)
  reason = "Adaptation has not lowered rate and distortion"
  remedy = "Adapt for longer, or to more frames."
  if best.improves:
    try:
      adapted = adapted_codec(codec, best.fast, prior)
      found = adapted.compress_many(frames, names=names)
    except errors.CodecError as error:
      # Such as weights beyond exact arithmetic, which training knows not of.
      reason = f"The adapted model cannot be used ({error})"
    else:
      if len(found) <= len(plain):
        return found
      reason = f"The adapted model takes {len(found)} bytes for less distortion"
      remedy = "For fewer, adapt with a larger beta, or to more frames."
  warnings.warn(
    f"{reason}; the file is that of the model before, {len(plain)} bytes. "
    f"{remedy}",
    UnadaptedWarning,
    stacklevel=2,
  )
  return plain


class _AllFrames(Iterator[np.ndarray]):
  def __init__(self, frames: np.ndarray):
    self._frames = frames

  def __next__(self) -> np.ndarray:
    return self._frames

  def get_state(self) -> dict[str, Any]:
    return {}

  def set_state(self, state: dict[str, Any]) -> None:
    del state


class _CodecOfLatents(hyperprior_codec.HyperpriorCodec):
  """Codes the latents of a clip's frames, given once and for all."""

  def __init__(
    self,
    codec: hyperprior_codec.HyperpriorCodec,
    latents: rate_distortion.Latents,
  ):
    super().__init__(
      codec.config, codec.params, card=codec.card, model_id=codec.model_id
    )
    self._of_frames = jax.tree.map(np.asarray, latents)
    self._next = 0

  def compress_many(
    self, arrays: Sequence[np.ndarray], **settings: Any
  ) -> bytes:
    """As `BaseCodec.compress_many`, of all frames in their order."""
    count = len(self._of_frames.latents)
    if len(arrays) != count:
      raise ValueError(
        f"The latents are those of {count} frames, got {len(arrays)}: give the "
        "frames that they were optimised for."
      )
    self._next = 0
    return super().compress_many(arrays, **settings)

  def _fit(self, unit: np.ndarray, effort: str) -> latent_coder.Latents:
    del unit, effort
    y, z = (part[self._next] for part in self._of_frames)
    self._next += 1
    return self._receiver(b"").coder.quantize(y, z)


def _latents_of(fast: PyTree, index: Array) -> rate_distortion.Latents:
  """Those of one frame, with the axis of frames."""
  return rate_distortion.Latents(
    *(jax.lax.dynamic_slice_in_dim(part, index, 1) for part in fast)
  )


def _unit(images: Any) -> Array:
  return jnp.asarray(images).astype(jnp.float32) / 255


def _as_state(step: int, fast: PyTree) -> step_lib.TrainState:
  return step_lib.TrainState(
    jnp.array(step, jnp.int32), fast, (), (), jax.random.key(0)
  )
