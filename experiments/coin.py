"""COIN: one small network fitted to each image (thesis 5.1, appendix C.2).

The inner loop with every parameter fast, an Adam link and no meta-learning.
What is kept is the best iterate, not the last: Adam at a constant rate jumps.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import flatten_util

from experiments import build, evaluation
from inrjax import evaluate, quantize
from inrjax.adapt import gradient as gradient_lib
from inrjax.adapt import links, loop
from inrjax.coords import images as images_lib
from inrjax.networks import network as network_lib
from inrjax.types import Array, Context, PyTree


class Snapshot(NamedTuple):
  """The fast parameters of a fit that keeps its best iterate.

  Attributes:
    current: the iterate.
    best: the parameters of the lowest loss so far.
    loss: `[]` in a gradient, the loss of the iterate; else unused.
  """

  current: PyTree
  best: PyTree
  loss: Array


def keep_best(link: links.Link) -> links.Link:
  """A link on `Snapshot`s: `link` moves the iterate, the best is noted."""

  def init(fast: Snapshot) -> Any:
    return link.init(fast.current), jnp.inf

  def update(updates, state, params=None, *, meta=None, **unused):  # type: ignore[no-untyped-def]
    del unused
    link_state, lowest = state
    moves, link_state = link.update(
      updates.current, link_state, params.current, meta=meta
    )
    better = updates.loss < lowest
    best = jax.tree.map(
      lambda new, old: jnp.where(better, new - old, 0.0),
      params.current,
      params.best,
    )
    lowest = jnp.minimum(updates.loss, lowest)
    return Snapshot(moves, best, jnp.zeros(())), (link_state, lowest)

  return links.Link(init, update)


def pass_loss(loss_fn: gradient_lib.LossFn) -> gradient_lib.GradientFn:
  """The plain gradient, with the loss beside it for `keep_best`."""
  value_and_grad = gradient_lib.reverse(loss_fn)

  def gradient(
    shared: PyTree, fast: Snapshot, context: Context
  ) -> tuple[Array, Snapshot]:
    loss, grads = value_and_grad(shared, fast, context)
    return loss, grads._replace(loss=loss)

  return gradient


class Fitter:
  """Fits networks to images of one size and decodes them, compiled once."""

  def __init__(
    self,
    network: network_lib.Network,
    height: int,
    width: int,
    *,
    num_steps: int,
    learning_rate: float,
    low: float,
    high: float,
  ):
    """Compiles on the first use.

    Args:
      network: a SIREN without modulations.
      height: H of the images.
      width: W.
      num_steps: Adam steps.
      learning_rate: their rate.
      low: start of the coordinate range.
      high: its end.
    """
    as_context = images_lib.image_context(height, width, low=low, high=high)
    params = network.init(jax.random.key(0))
    coords = as_context(jnp.zeros((height, width, 1))).coords
    _, unravel = flatten_util.ravel_pytree(params)

    def loss_fn(shared: PyTree, fast: Snapshot, context: Context) -> Array:
      del shared
      prediction = network.apply(fast.current, context.coords)
      return gradient_lib.squared_error(prediction, context.values)

    # One step more than is asked for, so that the last iterate is judged too.
    adapt = loop.make_adapt(
      loss_fn,
      keep_best(optax.with_extra_args_support(optax.adam(learning_rate))),
      num_steps=num_steps + 1,
      gradient=pass_loss,
    )

    def fit_one(key: Array, image: Array) -> Array:
      start = network.init(key)
      fast = Snapshot(start, start, jnp.zeros(()))
      best = adapt(key, {}, fast, {}, as_context(image)).fast.best
      return flatten_util.ravel_pytree(best)[0]

    def decode_one(flat: Array) -> Array:
      return network.apply(unravel(flat), coords)

    roles = jax.tree.map(
      lambda leaf, role: jnp.full(leaf.shape, role == "bias"),
      params,
      network.roles(params),
    )
    self.is_bias = np.asarray(flatten_util.ravel_pytree(roles)[0]).astype(bool)
    self._fit = jax.jit(jax.vmap(fit_one))
    self._decode = jax.jit(jax.vmap(decode_one))
    self._shape = (height, width, -1)

  def fit(self, keys: Array, images: np.ndarray) -> np.ndarray:
    """Images `[n, H, W, C]` to parameters `[n, L]`."""
    return np.asarray(self._fit(keys, images))

  def decode(self, params: np.ndarray) -> np.ndarray:
    """Parameters `[n, L]` to images `[n, H, W, C]` uint8."""
    values = evaluate.as_uint8(self._decode(params))
    return values.reshape(len(params), *self._shape)


def round_params(
  params: np.ndarray, is_bias: np.ndarray, num_bits: int
) -> np.ndarray:
  """Quantises weights and biases apart (appendix C.3.1).

  Args:
    params: `[L]`.
    is_bias: `[L]` bool.
    num_bits: b.

  Returns:
    `[L]`, the values that b bits stand for.
  """
  rounded = np.empty_like(params)
  for group in (is_bias, ~is_bias):
    quantizer = quantize.fit_coin(params[group], num_bits=num_bits)
    symbols = quantize.quantize(quantizer, params[group])
    rounded[group] = quantize.dequantize(quantizer, symbols)
  return rounded


def evaluate_images(
  config: build.Section, images: Sequence[np.ndarray]
) -> evaluation.Record:
  """Fits every image and measures it, as it is and quantised.

  Args:
    config: the whole config.
    images: `[H, W, C]` uint8 each.

  Returns:
    The record of an evaluation.
  """
  fit = dict(config["fit"])
  at_once = fit.pop("images_per_call")
  network = network_lib.make_siren(build.make_network(config))
  keys = jax.random.split(jax.random.key(config["seed"]), len(images))
  fitters: dict[tuple[int, ...], Fitter] = {}
  found: list[tuple[Fitter, np.ndarray]] = [None] * len(images)  # type: ignore[list-item]
  for shape in {image.shape for image in images}:
    fitter = fitters.setdefault(shape, Fitter(network, *shape[:2], **fit))
    group = [i for i, image in enumerate(images) if image.shape == shape]
    for start in range(0, len(group), at_once):
      part = group[start : start + at_once]
      params = fitter.fit(
        keys[np.array(part)], np.stack([images[i] for i in part])
      )
      for index, row in zip(part, params, strict=True):
        found[index] = (fitter, row)
  num_params = found[0][1].size
  num_pixels = [image.shape[0] * image.shape[1] for image in images]

  def quality(num_bits: int | None) -> evaluation.Record:
    decoded = []
    for fitter, params in found:
      if num_bits is not None:
        params = round_params(params, fitter.is_bias, num_bits)
      decoded.append(fitter.decode(params[np.newaxis])[0])
    return evaluation.quality(images, decoded)

  return {
    "num_modulations": num_params,
    "unquantised": [{"num_steps": fit["num_steps"]} | quality(None)],
    "quantised": [
      {
        "num_bits": bits,
        "nominal_bpp": float(
          np.mean([bits * num_params / n for n in num_pixels])
        ),
      }
      | quality(bits)
      for bits in config["evaluate"]["num_bits"]
    ],
  }
