"""Masks by magnitude or chance, and their schedule."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.sparsity import pruning

KEY = jax.random.key(0)
ROLES = {"a": {"w": "weight", "b": "bias"}, "c": {"w": "weight"}}
FAST = {
  "a": {"w": jnp.array([[3.0, -1.0], [0.5, -4.0]]), "b": jnp.array([0.1, 0.2])},
  "c": {"w": jnp.array([[2.0], [-0.25]])},
}
ONES = jax.tree.map(jnp.ones_like, FAST)


def keep(mask, number, roles=("weight",), fast=FAST):
  return pruning.keep_largest(
    mask,
    pruning.magnitude(KEY, fast),
    number,
    roles=ROLES,
    pruned_roles=roles,
  )


def test_one_threshold_for_all_layers():
  # Fails if every layer loses the same share, or signs matter.
  mask = keep(ONES, 3)
  np.testing.assert_array_equal(mask["a"]["w"], [[1, 0], [0, 1]])
  np.testing.assert_array_equal(mask["c"]["w"], [[1], [0]])
  np.testing.assert_array_equal(mask["a"]["b"], [1, 1])


def test_biases_are_pruned_where_they_are_named():
  mask = keep(ONES, 7, roles=("weight", "bias"))
  np.testing.assert_array_equal(mask["a"]["b"], [0, 1])
  assert pruning.survivors(mask, ROLES, ("weight", "bias")) == (7, 8, 7, 8)
  assert pruning.survivors(mask, ROLES, ("weight",)) == (6, 6, 7, 8)


def test_what_is_pruned_stays_pruned():
  # Fails if a removed weight comes back because its value has grown.
  mask = keep(ONES, 3)
  grown = {**FAST, "a": {**FAST["a"], "w": FAST["a"]["w"].at[0, 1].set(99.0)}}
  again = keep(mask, 2, fast=grown)
  assert again["a"]["w"][0, 1] == 0
  np.testing.assert_array_equal(again["a"]["w"], [[1, 0], [0, 1]])


def test_asking_for_more_than_survive_changes_nothing():
  mask = keep(ONES, 2)
  jax.tree.map(np.testing.assert_array_equal, keep(mask, 5), mask)


@hypothesis.given(
  st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=12),
  st.integers(0, 12),
)
@hypothesis.settings(max_examples=30, deadline=None)
def test_counts_are_exact_with_ties(values, number):
  # Fails if equal scores are kept or dropped together.
  fast = {"a": {"w": jnp.asarray(values)[None]}}
  ones = jax.tree.map(jnp.ones_like, fast)
  mask = pruning.keep_largest(
    ones, fast, number, roles=ROLES, pruned_roles=("weight",)
  )
  kept = np.asarray(mask["a"]["w"][0])
  assert kept.sum() == min(number, len(values))
  order = np.argsort(-np.asarray(values), kind="stable")
  np.testing.assert_array_equal(np.flatnonzero(kept), sorted(order[:number]))


def test_chance_does_not_look_at_values():
  scores = pruning.chance(KEY, FAST)
  again = pruning.chance(KEY, jax.tree.map(lambda x: 9 * x, FAST))
  jax.tree.map(np.testing.assert_array_equal, scores, again)
  other = pruning.chance(jax.random.key(1), FAST)
  assert np.any(scores["a"]["w"] != other["a"]["w"])


def test_schedule_is_algorithm_1():
  # Fails if a round takes a share of all instead of the surviving weights.
  schedule = pruning.Schedule(100, 10, 0.2, 3)
  assert schedule.steps == (100, 110, 120) and schedule.num_steps == 130
  assert schedule.num_kept(1000) == (800, 640, 512)


@pytest.mark.parametrize(
  "bad",
  [
    (-1, 1, 0.2, 1),
    (0, 0, 0.2, 1),
    (0, 1, 1.0, 1),
    (0, 1, -0.1, 1),
    (0, 1, 0.2, -1),
  ],
)
def test_impossible_schedules_are_refused(bad):
  with pytest.raises(ValueError):
    pruning.Schedule(*bad)


def test_a_target_that_empties_layers_is_refused():
  with pytest.raises(ValueError, match="fewer than one"):
    pruning.Schedule(0, 1, 0.9, 3).num_kept(100, 2)


def test_empty_layers_are_named():
  mask = {
    "s": {"w": jnp.ones((2, 2, 2)).at[1].set(0)},
    "a": {"b": jnp.zeros(3)},
  }
  assert pruning.empty_layers(mask) == ["s/w[1]", "a/b"]
