"""Tiles of points change the memory that is needed and nothing else."""

import jax
import jax.numpy as jnp
import pytest

from inrjax import adapt
from inrjax.adapt import gradient, links, tiles
from inrjax.coords import select
from inrjax.types import Context
from tests.adapt import problems


def outer_gradient(loss_fn, mode, arguments, num_steps=2):
  """Gradient of the loss after adaptation, and that loss."""
  shared, fast, context = arguments
  loop = adapt.make_adapt(
    loss_fn, links.sgd(0.1), num_steps=num_steps, gradient=mode
  )
  key = jax.random.key(0)

  @jax.jit
  def run(shared, fast):
    return jax.value_and_grad(
      lambda s, f: loop(key, s, f, {}, context).losses[-1], argnums=(0, 1)
    )(shared, fast)

  return run(shared, fast)


@pytest.fixture(scope="module")
def untiled():
  """Losses and gradients without tiles, in float64."""
  with jax.enable_x64(True):
    arguments = problems.problem(jnp.float64)
    first = jax.jit(jax.value_and_grad(problems.loss_fn, argnums=(0, 1, 2)))
    return {
      "arguments": arguments,
      "loss": first(*arguments),
      "outer": outer_gradient(problems.loss_fn, gradient.reverse, arguments),
    }


@pytest.mark.parametrize("tile", [1, 3, 50])
def test_loss_and_first_derivative_are_the_untiled_ones(tile, untiled):
  # Fails if the rest is dropped, weighted like a whole tile, or the tiles are
  # summed: 7 points are 2 tiles of 3 and a rest of 1.
  with jax.enable_x64(True):
    loss_fn = tiles.tiled_loss(problems.loss_fn, tile)
    found = jax.jit(jax.value_and_grad(loss_fn, argnums=(0, 1, 2)))(
      *untiled["arguments"]
    )
    problems.assert_close(found, untiled["loss"], rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize("mode", ["mixed_mode", "reverse"])
@pytest.mark.parametrize("of", ["loss", "gradient"])
def test_second_derivative_is_the_untiled_one(mode, of, untiled):
  # Fails if a tile's gradient loses its own derivative: the outer gradient.
  mode = getattr(gradient, mode)
  with jax.enable_x64(True):
    loss_fn = problems.loss_fn
    if of == "loss":
      loss_fn = tiles.tiled_loss(loss_fn, 3)
    else:
      mode = tiles.tiled_gradient(mode, 3)
    found = outer_gradient(loss_fn, mode, untiled["arguments"])
    problems.assert_close(found, untiled["outer"], rtol=1e-10, atol=1e-15)


def test_hessian_vector_product_through_the_tiled_loss():
  # Fails if forward over reverse is not defined for a tiled loss.
  with jax.enable_x64(True):
    shared, fast, context = problems.problem(jnp.float64)
    v = jax.tree.map(jnp.ones_like, fast)

    def product(loss_fn):
      grad = jax.grad(lambda f: loss_fn(shared, f, context))
      return jax.jit(lambda f: jax.jvp(grad, (f,), (v,))[1])(fast)

    problems.assert_close(
      product(tiles.tiled_loss(problems.loss_fn, 2)),
      product(problems.loss_fn),
      rtol=1e-11,
    )


def temporaries(num_points, *, tile, num_steps=2):
  """Bytes of temporaries of an outer gradient, N points in tiles."""
  shared, fast, _ = problems.problem()
  loss_fn = tiles.tiled_loss(problems.loss_fn, tile)
  loop = adapt.make_adapt(
    loss_fn,
    links.sgd(0.1),
    num_steps=num_steps,
    gradient=tiles.tiled_gradient(gradient.mixed_mode, tile),
  )
  context = Context(
    jax.ShapeDtypeStruct((num_points, 2), jnp.float32),
    jax.ShapeDtypeStruct((num_points, 3), jnp.float32),
  )

  def step(shared, fast, context):
    return jax.grad(
      lambda s: loop(jax.random.key(0), s, fast, {}, context).losses[-1]
    )(shared)

  compiled = jax.jit(step).lower(shared, fast, context).compile()
  return compiled.memory_analysis().temp_size_in_bytes


def test_temporaries_grow_neither_with_points_nor_with_steps():
  # Fails if a tile's activations, or a copy of the parameters per tile, are
  # kept for the backward pass. One copy of the points themselves is allowed.
  few = temporaries(1 << 11, tile=1 << 9)
  bytes_of_point = 4 * (2 + 3)
  many = temporaries(1 << 15, tile=1 << 9, num_steps=20)
  assert many < 1.1 * few + (1 << 15) * bytes_of_point
  # What is seen is memory of a tile's activations.
  assert temporaries(1 << 14, tile=1 << 14) > 8 * few


def test_scores_of_a_large_context_need_the_memory_of_a_tile():
  # Fails if all points pass the network at once to be ranked.
  shared, fast, _ = problems.problem()
  predict = lambda s, f, c: problems.NETWORK.apply(  # noqa: E731
    problems.partition().join(s, f), c
  )

  def temporaries_of(tile):
    score = select.in_tiles(select.error_norm(predict), tile)
    context = Context(
      jax.ShapeDtypeStruct((1 << 15, 2), jnp.float32),
      jax.ShapeDtypeStruct((1 << 15, 3), jnp.float32),
    )
    compiled = jax.jit(score).lower(shared, fast, context).compile()
    return compiled.memory_analysis().temp_size_in_bytes

  assert temporaries_of(1 << 9) < temporaries_of(None) / 4


@pytest.mark.parametrize("tile", [0, -3])
def test_empty_tiles_are_refused(tile):
  for make in (
    lambda: tiles.tiled_loss(problems.loss_fn, tile),
    lambda: tiles.tiled_gradient(gradient.mixed_mode, tile),
  ):
    with pytest.raises(ValueError, match=f"at least 1, got {tile}"):
      make()
