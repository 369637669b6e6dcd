"""ProsPr against finite differences of the loss after its steps."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from inrjax.adapt import gradient as gradient_lib
from inrjax.sparsity import masks, prospr, saliency, structures
from tests.sparsity import saliency_problems as problems

KEY = jax.random.key(0)
MOMENTUM = optax.sgd(0.3, momentum=0.9)


def run(value, params, batches, structure, loss_fn=problems.loss_fn):
  return jax.jit(lambda p, b: value(KEY, loss_fn, p, b, structure))(
    params, batches
  )


@pytest.mark.parametrize("kind", ["weights", "units"])
def test_no_steps_is_snip_to_the_bit(kind):
  params, batches = problems.problem(dtype=jnp.float32)
  structure = (
    structures.Unstructured() if kind == "weights" else problems.units(params)
  )
  found = run(prospr.ProsPr(MOMENTUM, 0), params, batches, structure)
  expected = run(saliency.SNIP(), params, batches, structure)
  for name in expected:
    np.testing.assert_array_equal(found[name], expected[name])


def loss_after(params, batches, structure, num_steps):
  """Momentum by hand, as PyTorch and optax have it."""

  def fn(masks):
    weights = structures.apply_masks(structure, masks, params)
    velocity = jax.tree.map(jnp.zeros_like, weights)
    for i in range(num_steps):
      grads = jax.grad(problems.loss_fn)(weights, problems.at(batches, i))
      velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, grads)
      weights = jax.tree.map(lambda w, v: w - 0.3 * v, weights, velocity)
    return problems.loss_fn(weights, problems.at(batches, num_steps))

  return fn


@pytest.mark.parametrize(
  ("kind", "num_steps"), [("weights", 1), ("weights", 3), ("units", 3)]
)
def test_prospr_is_the_slope_of_the_loss_after_the_steps(kind, num_steps):
  # Fails if a batch is used twice, the mask is applied in every step, or the
  # momentum is not differentiated.
  with jax.enable_x64(True):
    params, batches = problems.problem(num_batches=num_steps + 1)
    structure = (
      structures.Unstructured() if kind == "weights" else problems.units(params)
    )
    found = run(prospr.ProsPr(MOMENTUM, num_steps), params, batches, structure)
    fn = loss_after(params, batches, structure, num_steps)
    expected = problems.slopes(fn, structure.init(params))
    problems.assert_close(
      found, problems.normalised(expected), rtol=1e-5, atol=1e-9
    )


def test_mixed_mode_is_reverse_over_reverse():
  with jax.enable_x64(True):
    params, batches = problems.problem(num_batches=3)
    structure = structures.Unstructured()
    optimizer = optax.adam(0.1, eps_root=1e-8)
    modes = (
      gradient_lib.reverse,
      gradient_lib.mixed_mode,
      functools.partial(gradient_lib.mixed_mode, prevent_cse=True),
    )
    expected, *others = (
      run(prospr.ProsPr(optimizer, 2, mode), params, batches, structure)
      for mode in modes
    )
    for found in others:
      problems.assert_close(found, expected, rtol=1e-9)


def test_first_order_is_approached_as_the_rate_goes_to_zero():
  # Fails if the gradient is taken at the start, or times the trained weights.
  with jax.enable_x64(True):
    params, batches = problems.problem(num_batches=4)
    structure = structures.Unstructured()

    @jax.jit
    def error(rate):
      full, first = (
        kind(optax.sgd(rate), 3)(
          KEY, problems.loss_fn, params, batches, structure
        )
        for kind in (prospr.ProsPr, prospr.FirstOrderProsPr)
      )
      return jnp.max(jnp.abs(full["first/w"] - first["first/w"]))

    errors = [error(rate) for rate in (1e-2, 1e-3, 1e-4)]
    assert errors[0] < 0.1
    # Linear in the rate.
    np.testing.assert_allclose(errors[1] / errors[0], 0.1, rtol=0.2)
    np.testing.assert_allclose(errors[2] / errors[1], 0.1, rtol=0.05)


def test_first_order_is_prospr_with_constant_gradients():
  # With SGD d(w_M)/d(w_0) is the identity; any rate.
  with jax.enable_x64(True):
    params, batches = problems.problem(num_batches=4)
    structure = problems.units(params)
    first = run(
      prospr.FirstOrderProsPr(optax.sgd(0.5), 3), params, batches, structure
    )
    constant = prospr.ProsPr(optax.sgd(0.5), 3, gradient_lib.first_order)
    problems.assert_close(
      first, run(constant, params, batches, structure), rtol=1e-9
    )


def test_a_network_of_the_users_with_batch_norm():
  # Stateful, structured, with integer labels: as in the README of a user.
  def forward(x):
    x = hk.Linear(6, with_bias=False, name="layer")(x)
    x = hk.BatchNorm(True, True, 0.9, name="norm")(x, is_training=True)
    return hk.Linear(3, name="last")(jax.nn.relu(x))

  network = hk.without_apply_rng(hk.transform_with_state(forward))
  inputs = jax.random.normal(KEY, (3, 8, 4))
  batches = (inputs, jnp.arange(24).reshape(3, 8) % 3)
  params, state = network.init(KEY, inputs[0])

  def loss_fn(params, batch):
    logits, _ = network.apply(params, state, batch[0])
    return jnp.mean(
      optax.softmax_cross_entropy_with_integer_labels(logits, batch[1])
    )

  structure = structures.Structured(
    structures.unit_groups(
      params,
      protected=["last/w"],
      also={"layer/w": ("norm/scale", "norm/offset")},
    )
  )
  value = prospr.ProsPr(MOMENTUM, num_steps=2)
  scores = run(value, params, batches, structure, loss_fn)
  found = masks.global_top_k(scores, sparsity=0.5)
  np.testing.assert_allclose(scores["layer/w"].sum(), 1, rtol=1e-5)
  assert found["layer/w"].sum() == 3
  pruned = structures.apply_masks(structure, found, params)
  assert np.isfinite(loss_fn(pruned, problems.at(batches, 0)))


def test_weights_trained_elsewhere_score_the_same():
  with jax.enable_x64(True):
    params, batches = problems.problem(num_batches=3)
    structure = structures.Unstructured()
    value = prospr.FirstOrderProsPr(MOMENTUM, 2)
    weights, state = params, MOMENTUM.init(params)
    gradient = jax.jit(jax.grad(problems.loss_fn))
    for i in range(2):
      grads = gradient(weights, problems.at(batches, i))
      updates, state = MOMENTUM.update(grads, state, weights)
      weights = optax.apply_updates(weights, updates)
    found = prospr.trained_saliency(
      problems.loss_fn, params, weights, problems.at(batches, 2), structure
    )
    problems.assert_close(
      found, run(value, params, batches, structure), rtol=1e-9
    )


def temporaries(value, params, batches):
  def call(params, batches):
    return value(
      KEY, problems.loss_fn, params, batches, structures.Unstructured()
    )

  lowered = jax.jit(call).lower(params, batches)
  return lowered.compile().memory_analysis().temp_size_in_bytes


def test_memory_of_the_first_order_form_does_not_grow():
  # Wide batches: activations are what would be kept.
  def problem(num_steps):
    params, batches = problems.problem(1, jnp.float32)
    tiled = {
      name: jnp.zeros((num_steps + 1, 512, *batches[name].shape[2:]), dtype)
      for name, dtype in (("x", jnp.float32), ("label", jnp.int32))
    }
    return params, {
      **tiled,
      "key": jax.random.split(jax.random.key(0), num_steps + 1),
    }

  def own(make, num_steps):
    # Batches, and copies of them, grow with the number of steps as they must.
    params, batches = problem(num_steps)
    data = sum(leaf.nbytes for leaf in jax.tree.leaves(batches))
    return temporaries(make(num_steps), params, batches), data

  few, few_data = own(lambda n: prospr.FirstOrderProsPr(optax.sgd(0.1), n), 4)
  many, many_data = own(
    lambda n: prospr.FirstOrderProsPr(optax.sgd(0.1), n), 64
  )
  assert many - few <= many_data - few_data
  mixed, _ = own(lambda n: prospr.ProsPr(optax.sgd(0.1), n), 16)
  reverse, _ = own(
    lambda n: prospr.ProsPr(optax.sgd(0.1), n, gradient_lib.reverse), 16
  )
  # Fails if activations of every step are kept.
  assert mixed < 0.7 * reverse


def test_the_number_of_steps_and_batches_is_checked():
  with pytest.raises(ValueError, match="num_steps"):
    prospr.ProsPr(MOMENTUM, -1)
  with pytest.raises(ValueError, match="num_steps"):
    prospr.FirstOrderProsPr(MOMENTUM, -1)
  params, batches = problems.problem(num_batches=3, dtype=jnp.float32)
  with pytest.raises(ValueError, match="needs 4 batches"):
    prospr.ProsPr(MOMENTUM, 3)(
      KEY, problems.loss_fn, params, batches, structures.Unstructured()
    )
