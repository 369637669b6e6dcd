"""Masks: exact counts, positions of ties, and every way to be refused."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrjax.sparsity import masks, structures

SCORES = {
  "a": np.array([[5.0, 1.0], [4.0, 1.0]]),
  "b": np.array([2.0, 3.0, 1.0, 6.0]),
}


def host(found):
  return {name: np.asarray(mask).tolist() for name, mask in found.items()}


def test_global_top_k_by_hand():
  found = masks.global_top_k(SCORES, 0.5)
  # Fails if layers are ranked one by one.
  assert host(found) == {"a": [[1, 0], [1, 0]], "b": [0, 1, 0, 1]}
  assert all(mask.dtype == jnp.float32 for mask in found.values())


def test_ties_go_to_the_earlier_position_of_the_sorted_names():
  scores = {"b": np.ones(3), "a": np.ones(2)}
  found = masks.global_top_k(scores, 0.4)
  assert host(found) == {"a": [1, 1], "b": [1, 0, 0]}
  found = masks.top_by_cost(scores, {"a": 1.0, "b": 1.0}, 0.4)
  assert host(found) == {"a": [1, 1], "b": [1, 0, 0]}


def test_layer_top_k_prunes_every_layer_alike():
  found = masks.layer_top_k(SCORES, 0.25)
  assert host(found) == {"a": [[1, 1], [1, 0]], "b": [1, 1, 0, 1]}


def test_protected_layers_are_kept_and_not_counted():
  for prune in (masks.global_top_k, masks.layer_top_k):
    found = prune(SCORES, 0.5, protected=["a"])
    assert host(found) == {"a": [[1, 1], [1, 1]], "b": [0, 1, 0, 1]}


@given(
  st.lists(
    st.lists(st.integers(-3, 3), min_size=1, max_size=9), min_size=1, max_size=4
  ),
  st.floats(0.01, 0.99),
)
def test_counts_are_exact_and_what_is_kept_scores_no_less(layers, sparsity):
  scores = {str(i): np.array(layer, float) for i, layer in enumerate(layers)}
  total = sum(len(layer) for layer in layers)
  num_kept = total - round(total * sparsity)
  if num_kept == 0 or not any(np.any(s) for s in scores.values()):
    with pytest.raises(ValueError):
      masks.global_top_k(scores, sparsity)
    return
  seen = []
  found = masks.global_top_k(scores, sparsity, on_collapse=seen.extend)
  assert sum(int(m.sum()) for m in found.values()) == num_kept
  assert masks.sparsity_of(found) == pytest.approx(1 - num_kept / total)
  kept = [s for n in scores for s in scores[n][np.asarray(found[n]) == 1]]
  gone = [s for n in scores for s in scores[n][np.asarray(found[n]) == 0]]
  assert not gone or min(kept) >= max(gone)
  assert tuple(seen) == masks.collapsed(found)
  if num_kept >= len(layers):
    fed = masks.global_top_k(scores, sparsity, min_kept=1)
    # Fails if the floor comes on top of the count.
    assert sum(int(m.sum()) for m in fed.values()) == num_kept
    assert not masks.collapsed(fed)


def test_layer_collapse_is_named():
  scores = {"big": np.arange(10.0) + 5, "small": np.arange(3.0)}
  with pytest.raises(masks.LayerCollapseError, match="small") as error:
    masks.global_top_k(scores, 0.5)
  assert error.value.layers == ("small",)
  with pytest.warns(RuntimeWarning, match="small"):
    found = masks.global_top_k(scores, 0.5, on_collapse=masks.warn_collapse)
  assert masks.collapsed(found) == ("small",)
  found = masks.global_top_k(scores, 0.5, min_kept=1)
  assert host(found)["small"] == [0, 0, 1]
  with pytest.raises(masks.LayerCollapseError, match="one"):
    masks.layer_top_k({"one": np.ones(1), "two": np.ones(9)}, 0.9)


def test_costs_are_removed_from_the_lowest_score_on():
  scores = {"cheap": np.array([1.0, 4.0, 5.0]), "dear": np.array([2.0, 3.0])}
  costs = {"cheap": 1.0, "dear": 10.0}
  # Of 23: 1 is 4 %, 11 are 48 %, 21 are 91 %.
  assert host(masks.top_by_cost(scores, costs, 0.04)) == {
    "cheap": [0, 1, 1],
    "dear": [1, 1],
  }
  assert host(masks.top_by_cost(scores, costs, 0.3)) == {
    "cheap": [0, 1, 1],
    "dear": [0, 1],
  }
  with pytest.raises(masks.LayerCollapseError, match="dear"):
    masks.top_by_cost(scores, costs, 0.9)
  # Equal costs: the rounded-up count of top_k.
  even = masks.top_by_cost(SCORES, {"a": 2.0, "b": 2.0}, 0.5)
  assert host(even) == host(masks.global_top_k(SCORES, 0.5))


@pytest.mark.parametrize("sparsity", [0.0, 1.0, -0.1, 1.5, float("nan")])
@pytest.mark.parametrize("prune", [masks.global_top_k, masks.layer_top_k])
def test_a_sparsity_outside_the_interval_is_named(prune, sparsity):
  with pytest.raises(ValueError, match=f"between 0 and 1, got {sparsity}"):
    prune(SCORES, sparsity)


@pytest.mark.parametrize(
  ("call", "message"),
  [
    (lambda: masks.global_top_k({"a": np.ones(4)}, 0.99), "keeps none of 4"),
    (lambda: masks.global_top_k({"a": np.array([1, np.nan])}, 0.5), "'a'"),
    (lambda: masks.global_top_k({"a": np.zeros(4)}, 0.5), "are zero"),
    (lambda: masks.global_top_k(SCORES, 0.5, protected=["c"]), "'c'"),
    (lambda: masks.global_top_k(SCORES, 0.5, protected=["a", "b"]), "Nothing"),
    (lambda: masks.global_top_k(SCORES, 0.5, min_kept=3), "min_kept=3"),
    (lambda: masks.top_by_cost(SCORES, {"a": 1.0}, 0.5), "'b'"),
    (lambda: masks.top_by_cost(SCORES, {"a": 0, "b": 0}, 0.5), "not all 0"),
    (lambda: masks.sparsity_of({}), "no entry"),
  ],
  ids=range(9),
)
def test_bad_input_is_named(call, message):
  with pytest.raises(ValueError, match=message):
    call()


PARAMS = {
  "conv": {"w": jnp.ones((3, 3, 2, 4)), "b": jnp.ones(4)},
  "norm": {"scale": jnp.ones((1, 1, 1, 4)), "offset": jnp.ones((1, 1, 1, 4))},
  "out": {"w": jnp.ones((4, 3)), "b": jnp.ones(3)},
}


def test_only_weights_are_masked_unless_told():
  structure = structures.Unstructured()
  assert set(structure.init(PARAMS)) == {"conv/w", "out/w"}
  structure = structures.Unstructured(protected=("out/w",))
  assert set(structure.init(PARAMS)) == {"conv/w"}
  structure = structures.Unstructured(select=lambda name, leaf: True)
  assert set(structure.init(PARAMS)) == set(structures.named_leaves(PARAMS))


def test_a_unit_takes_its_weights_bias_and_norm():
  structure = structures.Structured(
    structures.unit_groups(
      PARAMS,
      protected=["out/w"],
      also={"conv/w": ("norm/scale", "norm/offset")},
    )
  )
  found = {"conv/w": jnp.asarray([1.0, 0.0, 1.0, 1.0])}
  pruned = structures.apply_masks(structure, found, PARAMS)
  for module, name in (
    ("conv", "w"),
    ("conv", "b"),
    ("norm", "scale"),
    ("norm", "offset"),
  ):
    leaf = np.asarray(pruned[module][name])
    # Fails if another axis is masked.
    assert not leaf[..., 1].any() and leaf[..., [0, 2, 3]].all()
  assert np.all(pruned["out"]["w"] == 1)
  # 18 + 1 + 2 of 72 + 4 + 8 + 12 + 3.
  assert masks.parameter_sparsity(structure, found, PARAMS) == pytest.approx(
    21 / 99
  )


def test_a_group_can_lie_along_any_axes():
  # Fails if masks of two groups on one parameter replace one another.
  structure = structures.Structured(
    (
      structures.Group(
        "units", (structures.Member("conv/w"), structures.Member("out/w", -2))
      ),
      structures.Group("classes", (structures.Member("out/w", 1),)),
    )
  )
  found = {
    "units": jnp.asarray([0.0, 1, 1, 1]),
    "classes": jnp.asarray([1.0, 1, 0]),
  }
  pruned = structures.apply_masks(structure, found, PARAMS)["out"]["w"]
  np.testing.assert_array_equal(pruned, np.outer([0, 1, 1, 1], [1, 1, 0]))


@pytest.mark.parametrize(
  ("build", "message"),
  [
    (lambda: structures.Unstructured(protected=("x",)).init(PARAMS), "'x'"),
    (lambda: structures.Unstructured().init({"b": jnp.ones(3)}), "None of"),
    (lambda: structures.Structured(()), "one name each"),
    (lambda: structures.Structured((structures.Group("a", ()),)), "no members"),
    (lambda: structures.unit_groups(PARAMS, protected=["y"]), "'y'"),
    (
      lambda: structures.unit_groups(PARAMS, protected=["conv/w", "out/w"]),
      "nothing to prune",
    ),
    (
      lambda: structures.Structured(
        (
          structures.Group(
            "a", (structures.Member("conv/w"), structures.Member("out/w"))
          ),
        )
      ).init(PARAMS),
      "differ in size",
    ),
  ],
  ids=range(7),
)
def test_impossible_structures_are_named(build, message):
  with pytest.raises(ValueError, match=message):
    build()
