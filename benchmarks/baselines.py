"""Baseline (a): JAX in the usual style.

A list of layers, `jnp.sin`, a Python loop over the inner steps, `jax.grad` of
`jax.grad`, `vmap` over the images.
"""

import jax
import jax.numpy as jnp
import optax

from benchmarks import case as case_lib
from benchmarks import compiled as compiled_lib
from benchmarks import side as side_lib
from inrjax.types import Array, PyTree


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


def fit(
  case: case_lib.Case, params: case_lib.Parameters, image: Array
) -> Array:
  """Loss `[]` of one image `[H, W, 3]` after adaptation."""
  coords = jnp.asarray(case_lib.coordinates(case))
  values = image.reshape(-1, 3)

  def loss_fn(fast: PyTree) -> Array:
    weights, latent = (params, fast) if case.latent_dim else (fast, None)
    return jnp.mean((network(case, weights, latent, coords) - values) ** 2)

  fast = jnp.zeros(case.latent_dim) if case.latent_dim else params
  for _ in range(case.num_steps):
    fast = jax.tree.map(
      lambda p, g: p - case.inner_rate * g, fast, jax.grad(loss_fn)(fast)
    )
  return loss_fn(fast)


def outer_loss(
  case: case_lib.Case, params: case_lib.Parameters, batch: Array
) -> Array:
  """Mean loss `[]` after adaptation over the images of a batch."""
  return jnp.mean(jax.vmap(lambda image: fit(case, params, image))(batch))


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
