"""Our side: the library as a user calls it."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import case as case_lib
from benchmarks import compiled as compiled_lib
from benchmarks import side as side_lib
from inrjax import coords, meta, networks, train
from inrjax.adapt import loop
from inrjax.types import Adapted, Array, Context


def method(case: case_lib.Case) -> meta.Method:
  """COIN++, or MAML where there is no latent; plain descent in both."""
  siren = networks.SirenConfig(
    depth=case.depth, width=case.width, w0=case.w0, in_dim=case.in_dim
  )
  rates = meta.InnerRates(case.inner_rate, case.inner_rate)
  if not case.latent_dim:
    found = meta.maml(network=siren, rates=rates, num_steps=case.num_steps)
  else:
    found = meta.modulated(
      network=dataclasses.replace(
        siren, modulate=("shift",), latent_dim=case.latent_dim
      ),
      rates=rates,
      num_steps=case.num_steps,
    )
  return dataclasses.replace(
    found,
    point_tile=case.point_tile,
    select=coords.top_error(
      found.apply, num_points=case.num_selected, tile=case.point_tile
    ),
  )


def as_context(case: case_lib.Case) -> Callable[[Array], Context]:
  """Turns one signal into its context."""
  if case.num_frames == 1:
    return coords.image_context(case.side, case.side)
  return coords.voxel_context(case.num_frames, case.side, case.side)


def outer(case: case_lib.Case, parameters: case_lib.Parameters) -> meta.Outer:
  """The parameters in the library's own tree.

  Raises:
    ValueError: if the network's tree has come to differ from this one.
  """
  template = jax.eval_shape(method(case).init, jax.random.key(0))
  p = parameters
  weights = {
    "first": {"w": p.weights[0], "b": p.biases[0]},
    "__layer_stack_with_per_layer/hidden": {
      "w": np.stack(p.weights[1:]),
      "b": np.stack(p.biases[1:]),
    },
    "~": {"w": p.out_weight, "b": p.out_bias},
  }
  weights = jax.tree.map(jnp.asarray, weights)
  if case.latent_dim:
    latent_map = {"latent_map_shift": {"w": jnp.asarray(p.latent_map)}}
    result = template._replace(shared=weights | latent_map)
  else:
    result = template._replace(fast=weights)
  if jax.tree.map(jnp.shape, result) != jax.tree.map(jnp.shape, template):
    raise ValueError(
      "The network's parameters are not those of the benchmark: "
      f"{jax.tree.map(jnp.shape, template)}."
    )
  return result


def objective(case: case_lib.Case) -> meta.Objective:
  """Mean squared error after adaptation, and distance from a target."""
  chosen, context = method(case), as_context(case)
  if not case.target_steps:
    return meta.post_adaptation(chosen, context, task_tile=case.task_tile)
  return meta.bootstrapped(
    chosen,
    context,
    target=meta.Target(case.target_steps),
    weight=case.target_weight,
    task_tile=case.task_tile,
  )


def train_step(case: case_lib.Case) -> side_lib.Side:
  """A training step: adapt, outer gradient, Adam."""
  optimizer = train.make_optimizer(case.outer_rate)
  step_fn = jax.jit(
    train.make_train_step(objective(case), optimizer), donate_argnums=0
  )
  state = train.init_state(
    jax.random.key(case.seed),
    outer(case, case_lib.initial_parameters(case)),
    optimizer,
  )
  batch = jnp.asarray(case_lib.images(case))
  compiled = step_fn.lower(state, batch).compile()

  def run() -> float:
    nonlocal state
    state, metrics = compiled(state, batch)
    jax.block_until_ready(state)
    return float(metrics["loss"])

  return side_lib.Side(run, compiled_lib.temporaries(compiled))


def encode(case: case_lib.Case) -> side_lib.Side:
  """Test-time adaptation of a batch, without an outer gradient."""
  chosen, context = method(case), as_context(case)
  params = outer(case, case_lib.initial_parameters(case))

  def fit(key: Array, image: Array) -> Adapted:
    return chosen.adapt(key, params, {}, context(image))

  batch = jnp.asarray(case_lib.images(case))
  keys = jax.random.split(jax.random.key(case.seed), case.num_images)
  compiled = (
    jax.jit(loop.over_signals(fit, task_tile=case.task_tile))
    .lower(keys, batch)
    .compile()
  )

  def run() -> float:
    adapted = jax.block_until_ready(compiled(keys, batch))
    return float(jnp.mean(adapted.losses[:, -1]))

  return side_lib.Side(run, compiled_lib.temporaries(compiled))
