"""Links: what happens to an inner gradient on its way to the fast parameters.

A link is an `optax.GradientTransformationExtraArgs`; an inner update rule is an
`optax.chain` of links. What the outer loop learns about the inner one (learning
rates, gates) reaches the links as the argument `meta`, a mapping from names to
trees like the fast parameters, so that the outer gradient flows through it.
"""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax

from inrjax.types import Array, PyTree

Link: TypeAlias = optax.GradientTransformationExtraArgs


def _stateless(update: Any) -> Link:
  """A link without state from `(updates, meta) -> updates`."""

  def update_fn(updates, state, params=None, *, meta=None, **unused):  # type: ignore[no-untyped-def]
    del params, unused
    return update(updates, meta), state

  return Link(lambda params: optax.EmptyState(), update_fn)


def _of_meta(meta: PyTree, name: str) -> PyTree:
  if meta is None or name not in meta:
    raise ValueError(
      f"The link needs meta[{name!r}]; the outer parameters hold "
      f"{sorted(meta) if meta else 'none'}."
    )
  return meta[name]


@jax.custom_jvp
def clip_rate(rate: Array, low: float, high: float) -> Array:
  """Clips to [low, high]; the derivative is one wherever it could act.

  At a bound the derivative stays one, so that a rate which has reached it can
  come back; the value that is used never leaves the range.
  """
  return jnp.clip(rate, low, high)


@clip_rate.defjvp
def _clip_rate_jvp(primals, tangents):  # type: ignore[no-untyped-def]
  rate, low, high = primals
  return clip_rate(rate, low, high), tangents[0]


def scale_by_meta_lr(
  *, clip: tuple[float, float] = (0.0, 1.0), name: str = "learning_rates"
) -> Link:
  """Meta-SGD (Li et al., 2017): each fast parameter has a learned rate.

  Args:
    clip: range of the rates that are used (MSCN tables 4-12: [0, 1]).
    name: entry of `meta` that holds the rates, a tree like the fast
      parameters or with leaves that broadcast to them.

  Raises:
    ValueError: if the range is empty.
  """
  low, high = clip
  if not low < high:
    raise ValueError(f"clip must be (low, high) with low < high, got {clip}.")

  def update(updates: PyTree, meta: PyTree) -> PyTree:
    return jax.tree.map(
      lambda g, rate: g * clip_rate(rate, low, high),
      updates,
      _of_meta(meta, name),
    )

  return _stateless(update)


def gate_updates(*, name: str = "gates") -> Link:
  """Multiplies updates by `meta[name]`: z * gradient (MSCN eq. 9).

  The leaves of `meta[name]` broadcast to those of the updates.
  """

  def update(updates: PyTree, meta: PyTree) -> PyTree:
    return jax.tree.map(jnp.multiply, updates, _of_meta(meta, name))

  return _stateless(update)


def stop_gradients() -> Link:
  """The outer gradient takes the update for a constant (FOMAML)."""
  return _stateless(
    lambda updates, meta: jax.tree.map(jax.lax.stop_gradient, updates)
  )


def scale(factor: float) -> Link:
  """Multiplies updates by a constant; `scale(-lr)` ends a gradient descent."""
  return optax.with_extra_args_support(optax.scale(factor))


def sgd(learning_rate: float) -> Link:
  """Plain gradient descent, the inner rule of MAML and COIN++ (eq. 5.9)."""
  if not learning_rate > 0:
    raise ValueError(f"learning_rate must be positive, got {learning_rate}.")
  return scale(-learning_rate)


def meta_sgd(*, clip: tuple[float, float] = (0.0, 1.0)) -> Link:
  """Gradient descent with meta-learned rates in `clip`."""
  return optax.chain(scale_by_meta_lr(clip=clip), scale(-1.0))


def adam(learning_rate: float, **settings: float) -> Link:
  """Adam, for fits of many steps at test time (Meta-SparseINR: 100 of 1e-3)."""
  if not learning_rate > 0:
    raise ValueError(f"learning_rate must be positive, got {learning_rate}.")
  return optax.with_extra_args_support(optax.adam(learning_rate, **settings))
