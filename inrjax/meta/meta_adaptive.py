"""A global model that adapts to a clip in few steps: MAML over clips.

  min over theta of the mean over clips of L_RDM(adapt(theta, clip), clip)

where `adapt` is the inner loop of `inrjax.meta.instance_adaptive`, from the
global model and a change of nothing, and L_RDM (eq. 2 of van Rozendaal et al.,
2021) is measured after it: rate, distortion and the bits of the change, on
every frame of the clip, with noise where training has noise. (Rounded latents
have no useful gradient of their rate; what the inner steps and this one
disagree about, the inner ones undo each time, and the model drifts.) The paper
trains the global model for what it does before adapting (eq. 1).

Whether the outer gradient sees the inner steps (`gradient.mixed_mode`) or takes
them for constants (`gradient.first_order`, Finn et al., 2017) is a value, and
so is the link that they apply.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from inrjax.adapt import batch as batch_lib
from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import links, loop
from inrjax.coords import select, video
from inrjax.meta import instance_adaptive, objectives, rate_distortion
from inrjax.quantize import spike_and_slab
from inrjax.types import Array, Metrics, PyTree


def make_adapt(
  model: rate_distortion.RateModel,
  link: links.Link,
  *,
  beta: float,
  frame_shape: tuple[int, int, int],
  num_pixels: int,
  prior: spike_and_slab.SpikeAndSlab,
  num_steps: int,
  frames_per_step: int = 1,
  gradient: Callable[
    [gradient_lib.LossFn], gradient_lib.GradientFn
  ] = gradient_lib.mixed_mode,
  quantize_fn: instance_adaptive.QuantizeFn = spike_and_slab.quantize_tree,
) -> loop.Adapt:
  """Full-model adaptation as an inner loop on random frames.

  Args:
    model: network and rate model.
    link: the update rule.
    beta: weight of the rates.
    frame_shape: (H, W, C) of the context's points, frames or crops.
    num_pixels: of the instance that these stand for.
    prior: of the change.
    num_steps: S.
    frames_per_step: that a step sees, drawn anew at each.
    gradient: how the inner gradient is taken and differentiated.
    quantize_fn: how the change is rounded.
  """
  loss_fn = instance_adaptive.rdm_loss(
    model,
    beta=beta,
    frame_shape=frame_shape,
    num_pixels=num_pixels,
    prior=prior,
    quantize_fn=quantize_fn,
  )
  return loop.make_adapt(
    loss_fn,
    link,
    num_steps=num_steps,
    gradient=gradient,
    select=instance_adaptive.seeded(select.random_points(frames_per_step)),
  )


def post_adaptation(
  make_clip_adapt: Callable[[tuple[int, int, int]], loop.Adapt],
  *,
  task_tile: int | None = 1,
) -> objectives.Objective:
  """The RDM of clips after adaptation, as an outer objective.

  Args:
    make_clip_adapt: of (H, W, C) of a clip's frames or crops, `make_adapt`.
    task_tile: clips adapted at a time (`batch.mean_over_signals`).

  Returns:
    An objective whose parameters are those of `RateModel.init` and whose
    batches are clips `[B, T, H, W, C]`, uint8 or in [0, 1]. Its metric
    "rdm_before" is the loss of the first step.
  """

  def objective(
    key: Array, params: PyTree, carry: PyTree, batch: PyTree
  ) -> tuple[Array, tuple[Metrics, PyTree]]:
    count, num_frames, *frame_shape = batch.shape
    height, width, channels = frame_shape
    adapt = make_clip_adapt((height, width, channels))
    as_context = video.frame_context(num_frames, height, width)
    seeded = instance_adaptive.seeded(select.full_context)

    def one(
      params: PyTree, key: Array, clip: Array
    ) -> tuple[dict[str, Array], PyTree]:
      adapt_key, seed_key = jax.random.split(key)
      start = instance_adaptive.full_model(params)
      # The loss after the steps sees this seed, each step one of its own.
      context = seeded(seed_key, params, start, as_context(clip))
      adapted = adapt(adapt_key, params, start, {}, context)
      return {"loss": adapted.losses[-1]}, adapted.losses[0]

    terms, before = batch_lib.mean_over_signals(
      one,
      params,
      (jax.random.split(key, count), jnp.asarray(batch)),
      task_tile=task_tile,
    )
    return terms["loss"], ({"rdm_before": jnp.mean(before)}, carry)

  return objective
