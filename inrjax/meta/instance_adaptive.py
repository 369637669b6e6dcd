"""Full-model adaptation to one instance: the RDM objective as an inner loop.

  L_RDM = L_RD(phi, theta_D + Q(delta)) + beta M,  M = -log2 p(delta)

(van Rozendaal et al., 2021, eq. 2), in bits per pixel of the whole instance. It
is an ordinary inner loop (`adapt.loop.make_adapt`): the signal is a clip, its
points are frames (`coords.video.frame_context`), a step sees one of them
(`coords.select.random_points`), everything is fast, and the link is Adam.

  shared   the global model, `RateModel.init`
  fast     what `full_model` or `transmitter_only` start from:
             transmitter  phi, parameters of the encoder
             delta        the change of the receiver's parameters (full model)
             log_scales   a learned factor on each tensor's slab (optional)

Training needs noise that changes from step to step, and a loss gets no key:
`seeded` lets a select put a random number beside the coordinates. A context
without it, such as the one a loop ends with unless that was seeded, is measured
with rounded latents.

The six cases of figure 2c are arguments: `quantize_fn=unquantized` for no
`Q(delta)`, `rate_fn=None` for no M.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from inrjax.adapt import gradient as gradient_lib
from inrjax.coords import select as select_lib
from inrjax.meta import rate_distortion
from inrjax.networks import hyperprior
from inrjax.quantize import spike_and_slab
from inrjax.types import Array, Context, Metrics, PyTree

# (prior, delta, log_scales) -> what is added to the global parameters.
QuantizeFn = Callable[
  [spike_and_slab.SpikeAndSlab, PyTree, PyTree | None], PyTree
]
# Integers up to this are exact in float32, as which seeds travel.
_MAX_SEED = 1 << 23


def full_model(params: PyTree, *, learn_scales: bool = False) -> PyTree:
  """Where full-model adaptation starts: the global model, changed by nothing.

  Args:
    params: the global model's, by part.
    learn_scales: whether every tensor's slab gets a factor of its own.
  """
  fast = transmitter_only(params)
  delta = jax.tree.map(jnp.zeros_like, _receiver(params))
  fast["delta"] = delta
  if learn_scales:
    fast["log_scales"] = jax.tree.map(lambda _: jnp.zeros(()), delta)
  return fast


def transmitter_only(params: PyTree) -> PyTree:
  """Where encoder-only adaptation starts; it costs no bits."""
  return {
    "transmitter": {name: params[name] for name in hyperprior.TRANSMITTER}
  }


def unquantized(
  prior: spike_and_slab.SpikeAndSlab,
  delta: PyTree,
  log_scales: PyTree | None = None,
) -> PyTree:
  """The change itself: cases II, IV and VI of figure 2c."""
  del prior, log_scales
  return delta


def adapted_params(
  shared: PyTree,
  fast: PyTree,
  prior: spike_and_slab.SpikeAndSlab,
  quantize_fn: QuantizeFn = spike_and_slab.quantize_tree,
) -> PyTree:
  """All parameters of the adapted model, by part.

  Args:
    shared: the global model's.
    fast: what adaptation changes.
    prior: of the change, with its bins.
    quantize_fn: `spike_and_slab.quantize_tree` or `unquantized`.
  """
  params = {**shared, **fast["transmitter"]}
  if "delta" in fast:
    change = quantize_fn(prior, fast["delta"], fast.get("log_scales"))
    params |= jax.tree.map(jnp.add, _receiver(shared), change)
  return params


def model_bits(
  rate_fn: spike_and_slab.BitsFn,
  prior: spike_and_slab.SpikeAndSlab,
  fast: PyTree,
) -> Array:
  """Bits `[]` of the change, 0 where there is none; not rounded here."""
  if "delta" not in fast:
    return jnp.zeros(())
  return spike_and_slab.total_bits(
    rate_fn, prior, fast["delta"], fast.get("log_scales")
  )


def rdm_loss(
  model: rate_distortion.RateModel,
  *,
  beta: float,
  frame_shape: tuple[int, int, int],
  num_pixels: int,
  prior: spike_and_slab.SpikeAndSlab,
  quantize_fn: QuantizeFn = spike_and_slab.quantize_tree,
  rate_fn: spike_and_slab.BitsFn | None = spike_and_slab.continuous_bits,
) -> gradient_lib.LossFn:
  """Eq. 2 as the loss of an inner loop.

  Args:
    model: network and rate model.
    beta: weight of the rates.
    frame_shape: (H, W, C) of the context's points, frames or crops.
    num_pixels: of the whole instance, which the model's bits are shared by.
    prior: of the change of the model.
    quantize_fn: how the change is rounded.
    rate_fn: its bits, elementwise; None leaves them out.

  Returns:
    `(shared, fast, context) -> loss []`, a mean over frames.

  Raises:
    ValueError: for a beta or a number of pixels that is not positive.
  """
  rate_distortion.check_beta(beta)
  if num_pixels < 1:
    raise ValueError(f"num_pixels must be at least 1, got {num_pixels}.")

  def loss_fn(shared: PyTree, fast: PyTree, context: Context) -> Array:
    params = adapted_params(shared, fast, prior, quantize_fn)
    images, key = _frames(context, frame_shape)
    terms = model.terms(key, params, model.analyse(params, images), images)
    rate = terms.rate
    if rate_fn is not None:
      rate = rate + model_bits(rate_fn, prior, fast) / num_pixels
    return beta * rate + terms.distortion

  return loss_fn


def latent_loss(
  model: rate_distortion.RateModel,
  *,
  beta: float,
  frame_shape: tuple[int, int, int],
) -> gradient_lib.LossFn:
  """Eq. 1 of latents that are optimised directly (Campos et al., 2019).

  Args:
    model: network and rate model.
    beta: weight of the rate.
    frame_shape: (H, W, C).

  Returns:
    `(shared, fast, context) -> loss []`, where fast are the `Latents` of all
    frames of the context.
  """
  rate_distortion.check_beta(beta)

  def loss_fn(shared: PyTree, fast: PyTree, context: Context) -> Array:
    images, key = _frames(context, frame_shape)
    terms = model.terms(key, shared, fast, images)
    return beta * terms.rate + terms.distortion

  return loss_fn


def seeded(select: select_lib.Select) -> select_lib.Select:
  """Puts a random number beside the coordinates, the same for every point.

  Args:
    select: chooses the points of a step.

  Returns:
    A select of contexts with coordinates `[K, D + 1]`.
  """

  def selected(
    key: Array, shared: PyTree, fast: PyTree, context: Context
  ) -> Context:
    select_key, seed_key = jax.random.split(key)
    chosen = select(select_key, shared, fast, context)
    seed = jax.random.randint(seed_key, (1, 1), 0, _MAX_SEED)
    column = jnp.broadcast_to(
      seed.astype(chosen.coords.dtype), (chosen.coords.shape[0], 1)
    )
    coords = jnp.concatenate([chosen.coords, column], axis=1)
    return Context(coords, chosen.values)

  return selected


def seed_key(context: Context) -> Array | None:
  """The random key of a context that `seeded` chose; None of any other."""
  if context.coords.shape[1] < 2:
    return None
  seed = jax.lax.stop_gradient(context.coords[0, -1]).astype(jnp.int32)
  return jax.random.key(seed)


def measure(
  model: rate_distortion.RateModel,
  shared: PyTree,
  fast: PyTree,
  images: Array,
  *,
  prior: spike_and_slab.SpikeAndSlab,
  quantize_fn: QuantizeFn = spike_and_slab.quantize_tree,
) -> Metrics:
  """What some frames take with the adapted model, all latents rounded.

  Args:
    model: network and rate model.
    shared: the global model's parameters.
    fast: what adaptation changed.
    images: `[B, H, W, C]` frames in [0, 1].
    prior: of the change.
    quantize_fn: how the change is rounded.

  Returns:
    Metrics of `rate_distortion.metrics`, and in bits (not per pixel)
    `model_bits`, the discrete rate of the rounded change, and `zero_bits`, M_0,
    what a change of nothing would take.
  """
  params = adapted_params(shared, fast, prior, quantize_fn)
  terms = model.terms(None, params, model.analyse(params, images), images)
  found = rate_distortion.metrics(terms)
  found["model_bits"] = found["zero_bits"] = jnp.zeros(())
  if "delta" in fast:
    scales = fast.get("log_scales")
    rounded = spike_and_slab.quantize_tree(prior, fast["delta"], scales)
    found["model_bits"] = spike_and_slab.total_bits(
      spike_and_slab.discrete_bits, prior, rounded, scales
    )
    found["zero_bits"] = spike_and_slab.zero_update_bits(prior, rounded, scales)
  return found


def _receiver(params: PyTree) -> dict[str, Any]:
  return {name: params[name] for name in hyperprior.RECEIVER}


def _frames(
  context: Context, frame_shape: tuple[int, int, int]
) -> tuple[Array, Array | None]:
  """Frames `[K, H, W, C]` of a context, and the key of its seed, if any."""
  num_frames, size = context.values.shape
  height, width, channels = frame_shape
  if size != height * width * channels:
    raise ValueError(
      f"The context's points have {size} values, frames of "
      f"{height} x {width} x {channels} have {height * width * channels}: make "
      "it with coords.video.frame_context, of frames of that size."
    )
  images = context.values.reshape(num_frames, height, width, channels)
  return images, seed_key(context)
