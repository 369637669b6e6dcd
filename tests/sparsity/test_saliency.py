"""Saliencies against their definitions, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.sparsity import (
  batches as batches_lib,
)
from inrjax.sparsity import (
  compute_aware,
  saliency,
  structures,
)
from tests.sparsity import saliency_problems as problems

KEY = jax.random.key(3)


@pytest.fixture(autouse=True)
def double():
  with jax.enable_x64(True):
    yield


def structure_of(kind, params):
  return (
    structures.Unstructured() if kind == "weights" else problems.units(params)
  )


def run(value, params, batches, structure, key=KEY):
  call = jax.jit(lambda k, p, b: value(k, problems.loss_fn, p, b, structure))
  return call(key, params, batches)


@pytest.mark.parametrize("kind", ["weights", "units"])
def test_snip_is_the_slope_of_the_masked_loss(kind):
  # Fails if the gradient is of the weights, or a bias leaves its unit's group.
  params, batches = problems.problem()
  structure = structure_of(kind, params)
  found = run(saliency.SNIP(), params, batches, structure)
  batch = problems.at(batches, 0)

  def loss(masks):
    return problems.loss_fn(
      structures.apply_masks(structure, masks, params), batch
    )

  expected = problems.slopes(loss, structure.init(params))
  problems.assert_close(found, problems.normalised(expected), rtol=1e-6)


def test_units_sum_signed_slopes_of_their_weights_and_bias():
  # Fails if a unit's score adds magnitudes.
  params, batches = problems.problem()
  grads = jax.grad(problems.loss_fn)(params, problems.at(batches, 0))
  products = jax.tree.map(jnp.multiply, grads, params)["first"]
  expected = products["w"].sum(axis=0) + products["b"]
  found = run(saliency.SNIP(), params, batches, problems.units(params))
  problems.assert_close(
    found, problems.normalised({"first/w": expected}), rtol=1e-9
  )


@pytest.mark.parametrize("kind", ["weights", "units"])
def test_grasp_predicts_the_change_of_the_gradient_norm(kind):
  # Fails for a wrong sign or factor, or H applied to the wrong vector.
  params, batches = problems.problem()
  structure = structure_of(kind, params)
  found = run(saliency.GraSP(), params, batches, structure)
  batch = problems.at(batches, 0)

  def flow(masks):
    weights = structures.apply_masks(structure, masks, params)
    grads = jax.grad(problems.loss_fn)(weights, batch)
    return sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(grads)) / 2

  expected = problems.slopes(flow, structure.init(params))
  problems.assert_close(found, expected, rtol=1e-5, atol=1e-9)


def test_mask_grasp_is_the_flow_through_the_mask():
  # Fails if the inner gradient is that of the weights.
  params, batches = problems.problem()
  structure = problems.units(params)
  found = run(saliency.MaskGraSP(), params, batches, structure)
  batch = problems.at(batches, 0)

  def flow(masks):
    grads = jax.grad(
      lambda m: problems.loss_fn(
        structures.apply_masks(structure, m, params), batch
      )
    )(masks)
    return sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(grads)) / 2

  expected = problems.slopes(flow, structure.init(params))
  problems.assert_close(found, expected, rtol=1e-5, atol=1e-9)


def test_magnitude_of_weights_and_of_units():
  params, _ = problems.problem()
  found = run(saliency.Magnitude(), params, (), structures.Unstructured())
  np.testing.assert_allclose(
    found["last/w"], np.abs(params["last"]["w"]), rtol=1e-12
  )
  found = run(saliency.Magnitude(), params, (), problems.units(params))
  w, b = params["first"]["w"], params["first"]["b"]
  # Fails if the bias is left out of the norm.
  expected = np.sqrt(np.square(w).sum(axis=0) + np.square(b))
  np.testing.assert_allclose(found["first/w"], expected, rtol=1e-12)


def test_random_depends_on_the_key_alone():
  params, _ = problems.problem()
  one = run(saliency.Random(), params, (), structures.Unstructured())
  same = run(saliency.Random(), params, (), structures.Unstructured())
  other = run(
    saliency.Random(), params, (), structures.Unstructured(), jax.random.key(4)
  )
  problems.assert_close(one, same, rtol=0)
  assert not np.array_equal(one["first/w"], other["first/w"])
  # Fails if layers of one shape share their numbers, or a score can be 0.
  assert all(0 < np.min(s) and np.max(s) <= 1 for s in one.values())


def test_averaging_is_the_mean_over_batches():
  # Fails if the repetitions see one batch.
  params, batches = problems.problem(num_batches=3)
  structure = structures.Unstructured()
  value = saliency.Averaged(saliency.SNIP(), repeats=3)
  assert value.num_batches == 3
  found = run(value, params, batches, structure)
  each = [
    run(
      saliency.SNIP(), params, problems.at(batches, slice(i, i + 1)), structure
    )
    for i in range(3)
  ]
  expected = jax.tree.map(lambda *xs: sum(xs) / 3, *each)
  problems.assert_close(found, expected, rtol=1e-9)
  random = saliency.Averaged(saliency.Random(), repeats=2)
  assert random.num_batches == 0
  run(random, params, (), structure)


def test_compute_aware_scores_by_hand():
  # Eqs. 3.4, 3.5: costs 30 and 10 are 3/4 and 1/4; smoothed by 1/4, 2/3, 1/3.
  assert compute_aware.smoothed_costs({"a": 30, "b": 10}, 0.0) == {
    "a": 0.75,
    "b": 0.25,
  }
  smoothed = compute_aware.smoothed_costs({"a": 30, "b": 10}, 0.25)
  np.testing.assert_allclose([smoothed["a"], smoothed["b"]], [2 / 3, 1 / 3])
  params, batches = problems.problem()
  structure = structures.Unstructured()
  plain = run(saliency.SNIP(), params, batches, structure)
  costs = {"first/w": 30.0, "last/w": 10.0}
  aware = run(
    compute_aware.ComputeAware(saliency.SNIP(), costs),
    params,
    batches,
    structure,
  )
  np.testing.assert_allclose(aware["first/w"], plain["first/w"] / 0.75)
  np.testing.assert_allclose(aware["last/w"], plain["last/w"] / 0.25)
  # As the smoothing grows the order becomes that of the plain scores.
  smooth = run(
    compute_aware.ComputeAware(saliency.SNIP(), costs, smoothing=1e9),
    params,
    batches,
    structure,
  )
  problems.assert_close(smooth, {n: 2 * s for n, s in plain.items()}, rtol=1e-6)


def test_a_loss_of_no_parameters_scores_zero_and_not_nan():
  params, batches = problems.problem()
  found = saliency.SNIP()(
    KEY,
    lambda p, batch: jnp.mean(batch["x"]),
    params,
    batches,
    structures.Unstructured(),
  )
  assert all(not np.any(score) for score in found.values())


def test_a_norm_behind_a_layer_needs_its_scale_in_the_group():
  # Without it the derivative along a channel vanishes, which is documented.
  rng = np.random.default_rng(0)
  params = {
    "layer": {"w": jnp.asarray(rng.normal(size=(3, 4)))},
    "norm": {"scale": jnp.ones((1, 4)), "offset": jnp.full((1, 4), 0.1)},
    "last": {"w": jnp.asarray(rng.normal(size=(4, 1)))},
  }
  batches = jnp.asarray(rng.normal(size=(1, 8, 3)))

  def loss(params, x):
    x = x @ params["layer"]["w"]
    x = (x - x.mean(0, keepdims=True)) / x.std(0, keepdims=True)
    x = x * params["norm"]["scale"] + params["norm"]["offset"]
    return jnp.mean(jnp.square(jax.nn.relu(x) @ params["last"]["w"] - 1))

  def grads(also):
    structure = structures.Structured(
      structures.unit_groups(params, protected=["last/w"], also=also)
    )
    gradient = saliency.mask_gradient(loss, params, batches[0], structure)
    return gradient(structure.init(params))["layer/w"]

  assert np.abs(grads({})).max() < 1e-12
  tied = grads({"layer/w": ("norm/scale", "norm/offset")})
  assert np.abs(tied).min() > 1e-4


@pytest.mark.parametrize(
  "build",
  [
    lambda: saliency.Averaged(saliency.SNIP(), repeats=0),
    lambda: compute_aware.ComputeAware(saliency.SNIP(), {"a": 1.0}, -1.0),
    lambda: compute_aware.ComputeAware(saliency.SNIP(), {"a": 0.0}),
    lambda: compute_aware.ComputeAware(saliency.SNIP(), {"a": 0.0, "b": 1.0}),
    lambda: compute_aware.ComputeAware(saliency.SNIP(), {"a": float("nan")}),
  ],
  ids=["repeats", "smoothing", "all free", "one free", "nan"],
)
def test_impossible_values_are_refused(build):
  with pytest.raises(ValueError):
    build()


def test_the_wrong_number_of_batches_is_refused():
  params, batches = problems.problem(num_batches=2)
  with pytest.raises(ValueError, match="1 batches"):
    saliency.SNIP()(
      KEY, problems.loss_fn, params, batches, structures.Unstructured()
    )
  with pytest.raises(ValueError, match="same structure"):
    compute_aware.ComputeAware(saliency.SNIP(), {"else": 1.0})(
      KEY,
      problems.loss_fn,
      params,
      problems.at(batches, slice(1)),
      structures.Unstructured(),
    )


@pytest.mark.parametrize("x64", [False, True])
def test_batches_of_any_type_come_back(x64):
  # Fails if 32 bits are squeezed into a float32.
  with jax.enable_x64(x64):
    info = np.iinfo(np.int64 if x64 else np.int32)
    batch = {
      "image": jnp.linspace(0, 1, 3),
      "label": jnp.asarray([info.min, -1, 123456789, info.max]),
      "byte": jnp.asarray([0, 255], jnp.uint8),
      "mask": jnp.asarray([True, False]),
      "key": jax.random.split(jax.random.key(5), 3),
    }
    floats, restore = batches_lib.as_floating(batch)
    assert all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in floats)
    again = restore(floats)
    assert jax.tree.map(lambda x: x.dtype, again) == jax.tree.map(
      lambda x: x.dtype, batch
    )
    again["key"], batch["key"] = map(
      jax.random.key_data, (again["key"], batch["key"])
    )
    jax.tree.map(np.testing.assert_array_equal, again, batch)
    with pytest.raises(ValueError, match="complex"):
      batches_lib.as_floating(jnp.ones(2, jnp.complex64))
