"""Rates by group, clipping, and errors of the outer optimiser."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax import train


class Params(NamedTuple):
  network: dict
  gates: jax.Array


PARAMS = Params({"w": jnp.ones((2, 3)), "b": jnp.ones(3)}, jnp.ones(4))
GRADS = Params(
  {"w": jnp.full((2, 3), 0.3), "b": jnp.arange(3.0) - 1}, jnp.arange(4.0)
)
LABELS = Params("network", "gates")


def run(optimizer, steps=3):
  params, state = PARAMS, optimizer.init(PARAMS)
  for i in range(steps):
    grads = jax.tree.map(lambda g, i=i: g * (i + 1), GRADS)
    updates, state = optimizer.update(grads, state, params)
    params = optax.apply_updates(params, updates)
  return params


def test_without_options_it_is_adam():
  ours = run(train.make_optimizer(1e-2))
  adam = run(optax.adam(1e-2))
  jax.tree.map(np.testing.assert_array_equal, ours, adam)


def test_a_group_moves_as_under_an_adam_at_its_own_rate():
  ours = run(
    train.make_optimizer(1e-3, labels=LABELS, rate_factors={"gates": 100.0})
  )
  # fails if the factor goes on the gradient, where Adam cancels it.
  np.testing.assert_allclose(ours.gates, run(optax.adam(1e-1)).gates, rtol=1e-6)
  jax.tree.map(
    np.testing.assert_array_equal, ours.network, run(optax.adam(1e-3)).network
  )


def test_labels_may_be_given_leaf_by_leaf_and_zero_freezes():
  labels = Params({"w": "w", "b": "b"}, "gates")
  ours = run(
    train.make_optimizer(
      1e-2, labels=labels, rate_factors={"b": 0.0, "gates": 2.0}
    )
  )
  np.testing.assert_array_equal(ours.network["b"], PARAMS.network["b"])
  np.testing.assert_array_equal(
    ours.network["w"], run(optax.adam(1e-2)).network["w"]
  )


def test_the_gradient_is_clipped_as_a_whole_before_adam():
  # A large eps makes Adam's first step proportional to the gradient.
  options = {"eps": 1e6, "b1": 0.0}
  free = run(train.make_optimizer(1e6, **options), steps=1)
  clipped = run(train.make_optimizer(1e6, clip_norm=0.5, **options), steps=1)
  norm = np.sqrt(6 * 0.3**2 + 2 + 14)
  # fails if each array is clipped on its own, or after Adam.
  jax.tree.map(
    lambda c, f: np.testing.assert_allclose(
      c - 1, (f - 1) * 0.5 / norm, rtol=1e-3, atol=1e-6
    ),
    clipped,
    free,
  )


def test_a_schedule_sets_the_rate_of_each_step():
  ours = run(train.make_optimizer(lambda step: jnp.where(step < 1, 1e-2, 0.0)))
  jax.tree.map(
    np.testing.assert_array_equal, ours, run(optax.adam(1e-2), steps=1)
  )


@pytest.mark.parametrize(
  ("options", "named"),
  [
    ({"clip_norm": 0.0}, "clip_norm"),
    ({"clip_norm": float("nan")}, "clip_norm"),
    ({"labels": LABELS, "rate_factors": {"gate": 2.0}}, "'gate'.*'gates'"),
    ({"rate_factors": {"gates": 2.0}}, "'gates'"),
    ({"labels": LABELS, "rate_factors": {"gates": -1.0}}, "-1"),
    ({"labels": LABELS, "rate_factors": {"gates": float("inf")}}, "inf"),
  ],
)
def test_bad_settings_are_named(options, named):
  with pytest.raises(ValueError, match=named):
    train.make_optimizer(1e-3, **options)
