"""Baseline (a): JAX in the usual style.

A list of layers, `jnp.sin`, a Python loop over the inner steps, `jax.grad` of
`jax.grad`, `vmap` over the images.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from benchmarks import case as case_lib
from benchmarks import compiled as compiled_lib
from benchmarks import side as side_lib
from inrjax.types import Array, Context, PyTree


def network(
  case: case_lib.Case,
  params: case_lib.Parameters,
  latent: Array | None,
  coords: Array,
) -> Array:
  """Values `[N, 3]` of the SIREN, latent-modulated if there is a latent."""
  shifts = jnp.zeros((case.depth, 1))
  if case.latent_dim:
    shifts = (latent @ params.latent_map).reshape(case.depth, case.width)
  h = coords
  for w, b, shift in zip(params.weights, params.biases, shifts, strict=True):
    h = jnp.sin(case.w0 * (h @ w + b + shift))
  return h @ params.out_weight + params.out_bias


def worst_points(
  case: case_lib.Case, predict: Callable[[Array], Array], points: Context
) -> Context:
  """The K of N points whose values are predicted worst."""
  if case.num_selected == points.coords.shape[0]:
    return points
  errors = jnp.linalg.norm(predict(points.coords) - points.values, axis=-1)
  _, chosen = jax.lax.top_k(jax.lax.stop_gradient(errors), case.num_selected)
  return Context(points.coords[chosen], points.values[chosen])


def fit(
  case: case_lib.Case, params: case_lib.Parameters, image: Array
) -> tuple[Array, Array]:
  """Loss `[]` of one signal after adaptation, and distance `[]` from a target.

  Args:
    case: the sizes.
    params: where adaptation starts, or what the latent modulates.
    image: `[H, W, 3]`, or a clip `[T, H, W, 3]`.
  """
  points = Context(
    jnp.asarray(case_lib.coordinates(case)), image.reshape(-1, 3)
  )

  def predict(fast: PyTree, coords: Array) -> Array:
    weights, latent = (params, fast) if case.latent_dim else (fast, None)
    return network(case, weights, latent, coords)

  def loss_fn(fast: PyTree, seen: Context) -> Array:
    return jnp.mean((predict(fast, seen.coords) - seen.values) ** 2)

  def descend(fast: PyTree, seen: Context) -> PyTree:
    grads = jax.grad(loss_fn)(fast, seen)
    return jax.tree.map(lambda p, g: p - case.inner_rate * g, fast, grads)

  fast = jnp.zeros(case.latent_dim) if case.latent_dim else params
  for _ in range(case.num_steps):
    seen = worst_points(case, functools.partial(predict, fast), points)
    fast = descend(fast, seen)
  loss = loss_fn(fast, points)
  if not case.target_steps:
    return loss, jnp.zeros(())
  target = jax.lax.stop_gradient(fast)
  for _ in range(case.target_steps):
    target = descend(target, points)
  target = jax.lax.stop_gradient(target)
  squares = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), fast, target)
  return loss, jnp.sqrt(sum(jax.tree.leaves(squares)))


def outer_loss(
  case: case_lib.Case, params: case_lib.Parameters, batch: Array
) -> Array:
  """Mean over a batch of the loss and the weighted distance, `[]`."""
  losses, apart = jax.vmap(lambda image: fit(case, params, image))(batch)
  return jnp.mean(losses + case.target_weight * apart)


def train_step(case: case_lib.Case) -> side_lib.Side:
  """A training step: adapt, outer gradient, Adam."""
  optimizer = optax.adam(case.outer_rate)

  def step(
    params: case_lib.Parameters, state: optax.OptState, batch: Array
  ) -> tuple[case_lib.Parameters, optax.OptState, Array]:
    loss, grads = jax.value_and_grad(lambda p: outer_loss(case, p, batch))(
      params
    )
    updates, state = optimizer.update(grads, state, params)
    return optax.apply_updates(params, updates), state, loss

  params = jax.tree.map(jnp.array, case_lib.initial_parameters(case))
  state = optimizer.init(params)
  batch = jnp.asarray(case_lib.images(case))
  compiled = (
    jax.jit(step, donate_argnums=(0, 1)).lower(params, state, batch).compile()
  )

  def run() -> float:
    nonlocal params, state
    params, state, loss = compiled(params, state, batch)
    jax.block_until_ready((params, state))
    return float(loss)

  return side_lib.Side(run, compiled_lib.temporaries(compiled))


def encode(case: case_lib.Case) -> side_lib.Side:
  """Test-time adaptation of a batch, without an outer gradient."""
  case = dataclasses.replace(case, target_steps=0)
  params = jax.tree.map(jnp.array, case_lib.initial_parameters(case))
  batch = jnp.asarray(case_lib.images(case))
  compiled = (
    jax.jit(lambda batch: outer_loss(case, params, batch))
    .lower(batch)
    .compile()
  )

  def run() -> float:
    return float(compiled(batch))

  return side_lib.Side(run, compiled_lib.temporaries(compiled))
