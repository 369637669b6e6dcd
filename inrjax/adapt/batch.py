"""A mean over the signals of a batch, and its gradient signal by signal.

Differentiating a mean of losses as a whole keeps what the backward pass needs
of every signal until the last one is done. Here each tile of signals has its
gradient taken as soon as its loss is known, and only the sum stays.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from inrjax.types import Array, PyTree

# (params, *signal) -> (terms, rest): named scalars, and what has no gradient.
SignalFn = Callable[..., tuple[dict[str, Array], PyTree]]


def mean_over_signals(
  fn: SignalFn,
  params: PyTree,
  signals: tuple[Any, ...],
  *,
  task_tile: int | None,
) -> tuple[dict[str, Array], PyTree]:
  """Means of the terms of `fn` over signals, differentiable in `params`.

  Each further term costs a backward pass of its own.

  Args:
    fn: of `params` and one signal's arguments.
    params: what is differentiated.
    signals: arguments with a leading axis B; no gradient reaches them.
    task_tile: signals at a time: small tiles stay in a CPU's cache, one large
      tile fills an accelerator; None takes all at once.

  Returns:
    The means of the terms, and the rest with its leading axis B.
  """
  if task_tile is not None and task_tile < 1:
    raise ValueError(f"task_tile must be at least 1 or None, got {task_tile}.")
  count = jax.tree.leaves(signals)[0].shape[0]
  tile = count if task_tile is None else min(task_tile, count)

  def of_tile(params: PyTree, tile: Any) -> tuple[dict[str, Array], PyTree]:
    if jax.tree.leaves(tile)[0].shape[0] == 1:  # A batch of one is slower.
      terms, rest = fn(params, *jax.tree.map(lambda x: x[0], tile))
      return terms, jax.tree.map(lambda x: x[None], rest)
    terms, rest = jax.vmap(lambda *signal: fn(params, *signal))(*tile)
    return jax.tree.map(jnp.sum, terms), rest

  def over_tiles(one_tile: Callable[[Any], tuple[PyTree, PyTree]]) -> Any:
    """Sums the first result of `one_tile` and puts the second together."""
    num_whole = count // tile
    whole = jax.tree.map(
      lambda x: x[: num_whole * tile].reshape(num_whole, tile, *x.shape[1:]),
      signals,
    )
    if num_whole == 1:
      total, rest = one_tile(jax.tree.map(lambda x: x[0], whole))
    else:
      first = jax.tree.map(lambda x: x[0], whole)
      shapes, _ = jax.eval_shape(one_tile, first)
      zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

      def add(total: PyTree, part: Any) -> tuple[PyTree, PyTree]:
        found, rest = one_tile(part)
        return jax.tree.map(jnp.add, total, found), rest

      total, rest = jax.lax.scan(add, zeros, whole)
      rest = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), rest)
    if count % tile:
      last = jax.tree.map(lambda x: x[num_whole * tile :], signals)
      found, more = one_tile(last)
      total = jax.tree.map(jnp.add, total, found)
      rest = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), rest, more)
    return jax.tree.map(lambda x: x / count, total), rest

  @jax.custom_vjp
  def mean(params: PyTree) -> tuple[dict[str, Array], PyTree]:
    terms, rest = over_tiles(lambda tile: of_tile(params, tile))
    return terms, rest

  def forward(params: PyTree) -> Any:
    def with_gradients(tile: Any) -> tuple[PyTree, PyTree]:
      terms, pull_back, rest = jax.vjp(
        lambda p: of_tile(p, tile), params, has_aux=True
      )
      gradients = {
        name: pull_back(_one_hot(terms, name))[0] for name in sorted(terms)
      }
      return (terms, gradients), rest

    (terms, gradients), rest = over_tiles(with_gradients)
    return (terms, rest), gradients

  def backward(gradients: dict[str, PyTree], cotangents: Any) -> tuple[PyTree]:
    of_terms, _ = cotangents
    scaled = [
      jax.tree.map(lambda g, c=of_terms[name]: c * g, gradients[name])
      for name in sorted(gradients)
    ]
    return (jax.tree.map(lambda *parts: sum(parts[1:], parts[0]), *scaled),)

  mean.defvjp(forward, backward)
  return mean(params)


def _one_hot(terms: dict[str, Array], name: str) -> dict[str, Array]:
  return {
    key: jnp.full_like(value, np.float32(key == name))
    for key, value in terms.items()
  }
