"""Penalties against finite differences in float64, and against jax.grad."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from inrjax.quantize import regularizers, taps


def problem(dtype=jnp.float64):
  """`(params, batch)` of a small classifier; labels are integers."""
  rng = np.random.default_rng(0)
  draw = lambda *shape: jnp.asarray(rng.normal(size=shape), dtype)  # noqa: E731
  params = {
    "first": {"w": draw(4, 5), "b": draw(1, 5)},
    "last": {"w": draw(5, 3), "b": draw(1, 3)},
  }
  return params, {"x": draw(6, 4), "label": jnp.asarray(rng.integers(0, 3, 6))}


def loss_fn(tap, params, batch):
  """Cross entropy of a tanh network, and its logits."""
  hidden = batch["x"] @ params["first"]["w"] + params["first"]["b"]
  hidden = tap("hidden", jnp.tanh(hidden))
  logits = hidden @ params["last"]["w"] + params["last"]["b"]
  logits = tap("logits", logits)
  log_p = jax.nn.log_softmax(logits)
  rows = jnp.arange(log_p.shape[0])
  return -jnp.mean(log_p[rows, batch["label"]]), {"logits": logits}


def naive(params, batch, weights, activations, norm):
  """Eq. 4.3 as it stands, to be differentiated by jax.grad."""
  zeros = {"hidden": jnp.zeros((6, 5)), "logits": jnp.zeros((6, 3))}
  fn = lambda p, y: loss_fn(taps.adding(y), p, batch)[0]  # noqa: E731
  of_params, of_activations = jax.grad(fn, argnums=(0, 1))(params, zeros)
  kernels = [of_params["first"]["w"], of_params["last"]["w"]]
  return (
    fn(params, zeros)
    + weights * norm(kernels)
    + activations * norm(jax.tree.leaves(of_activations))
  )


def sum_of_magnitudes(leaves):
  return sum(jnp.sum(jnp.abs(leaf)) for leaf in leaves)


def euclidean(leaves):
  return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in leaves))


NORMS = {
  "l1": (regularizers.l1, sum_of_magnitudes),
  "l2": (regularizers.l2, euclidean),
}


@pytest.mark.parametrize("name", NORMS)
def test_value_and_derivative_are_equation_4_3(name):
  # Fails if biases are in the norm, a weight goes to the wrong norm, or the
  # sign is differentiated.
  with jax.enable_x64(True):
    params, batch = problem()
    norm, plain = NORMS[name]
    penalized = regularizers.gradient_penalty(
      loss_fn, weights_weight=0.3, activations_weight=0.7, norm=norm
    )
    (total, parts), grads = jax.jit(
      jax.value_and_grad(penalized, has_aux=True)
    )(params, batch)
    expected = jax.jit(
      jax.value_and_grad(lambda p: naive(p, batch, 0.3, 0.7, plain))
    )(params)
    np.testing.assert_allclose(total, expected[0], rtol=1e-12)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12),
      grads,
      expected[1],
    )
    np.testing.assert_allclose(
      total, parts.loss + 0.3 * parts.weights + 0.7 * parts.activations
    )
    assert parts.aux["logits"].shape == (6, 3)
    # Evaluated without a derivative: the same value.
    np.testing.assert_allclose(penalized(params, batch)[0], total, rtol=1e-12)


def test_the_derivative_is_a_finite_difference():
  # Fails if the two ways above share a mistake.
  with jax.enable_x64(True):
    params, batch = problem()
    penalized = regularizers.gradient_penalty(
      loss_fn, weights_weight=0.5, activations_weight=0.2
    )
    value = jax.jit(lambda p: penalized(p, batch)[0])
    grads = jax.jit(jax.grad(lambda p: penalized(p, batch)[0]))(params)
    for module, name in (("first", "w"), ("first", "b"), ("last", "w")):
      leaf = params[module][name]
      for index in [(0, 0), (0, 2)]:

        def moved(by, module=module, name=name, leaf=leaf, index=index):
          inner = {**params[module], name: leaf.at[index].add(by)}
          return value({**params, module: inner})

        slope = (moved(1e-6) - moved(-1e-6)) / 2e-6
        np.testing.assert_allclose(
          grads[module][name][index], slope, rtol=1e-5, atol=1e-8
        )


def test_zero_weights_are_the_plain_loss():
  params, batch = problem(jnp.float32)
  penalized = regularizers.gradient_penalty(
    loss_fn, weights_weight=0.0, activations_weight=0.0
  )
  found = jax.grad(lambda p: penalized(p, batch)[0])(params)
  expected = jax.grad(lambda p: loss_fn(taps.identity, p, batch)[0])(params)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
    found,
    expected,
  )


def test_taps_found_in_a_program_give_the_same_penalty():
  with jax.enable_x64(True):
    params, batch = problem()

    def logits(params, x):
      hidden = jnp.tanh(x @ params["first"]["w"] + params["first"]["b"])
      return hidden @ params["last"]["w"] + params["last"]["b"]

    tapped = taps.tap_products(logits)

    def found(tap, params, batch):
      log_p = jax.nn.log_softmax(tapped(tap, params, batch["x"]))
      return -jnp.mean(log_p[jnp.arange(6), batch["label"]]), None

    def hidden_only(tap, params, batch):
      inner = lambda n, x: tap(n, x) if n == "hidden" else x  # noqa: E731
      return loss_fn(inner, params, batch)[0], None

    results = [
      jax.value_and_grad(
        regularizers.gradient_penalty(
          fn, weights_weight=0.1, activations_weight=0.2
        ),
        has_aux=True,
      )(params, batch)
      for fn in (found, hidden_only)
    ]
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), *results
    )


def test_the_derivative_costs_one_hessian_vector_product():
  # Fails if the norm's gradient is differentiated backwards once more, or the
  # loss's own gradient is computed again.
  params = {name: {"w": jnp.zeros((64, 64))} for name in "abcd"}

  def loss(tap, params, batch):
    for name in "abcd":
      batch = tap(name, jax.nn.relu(batch @ params[name]["w"]))
    return jnp.mean(jnp.square(batch - 1)), None

  penalized = regularizers.gradient_penalty(
    loss, weights_weight=0.1, activations_weight=0.1
  )

  def flops(fn):
    compiled = jax.jit(jax.grad(fn)).lower(params).compile()
    return compiled.cost_analysis()["flops"]

  x = jnp.ones((256, 64))
  plain = flops(lambda p: loss(taps.identity, p, x)[0])
  assert flops(lambda p: penalized(p, x)[0]) < 3.2 * plain


def test_it_trains_inside_a_scan():
  # Fails if the custom derivative keeps a tracer of the loop.
  params, batch = problem(jnp.float32)
  penalized = regularizers.gradient_penalty(
    loss_fn, weights_weight=0.05, activations_weight=0.05
  )

  def step(params, key):
    chosen = jax.random.permutation(key, 6)
    some = jax.tree.map(lambda leaf: leaf[chosen], batch)
    (total, _), grads = jax.value_and_grad(penalized, has_aux=True)(
      params, some
    )
    return jax.tree.map(lambda p, g: p - 0.05 * g, params, grads), total

  keys = jax.random.split(jax.random.key(0), 20)
  _, totals = jax.jit(lambda p: jax.lax.scan(step, p, keys))(params)
  assert totals[-1] < totals[0]


def test_a_loss_at_its_minimum_has_no_direction_and_no_nan():
  fn = regularizers.without_taps(
    lambda p, batch: (jnp.sum(jnp.square(p["w"])), None)
  )
  params = {"w": jnp.zeros((2, 2))}
  for norm in (regularizers.l1, regularizers.l2):
    penalized = regularizers.gradient_penalty(
      fn, weights_weight=1.0, activations_weight=0.0, norm=norm
    )
    grads = jax.grad(lambda p, fn=penalized: fn(p, ())[0])(params)
    np.testing.assert_array_equal(grads["w"], 0)


def test_defensive_penalties_are_sums_over_singular_values():
  with jax.enable_x64(True):
    rng = np.random.default_rng(0)
    params = {
      "conv": {"w": jnp.asarray(rng.normal(size=(3, 3, 2, 4)))},
      "wide": {"w": jnp.asarray(rng.normal(size=(3, 5))), "b": jnp.ones(5)},
    }
    squares = (
      np.concatenate(
        [
          np.linalg.svd(params["conv"]["w"].reshape(18, 4), compute_uv=False),
          np.linalg.svd(params["wide"]["w"], compute_uv=False),
        ]
      )
      ** 2
    )
    # Fails if the Gram matrix of the longer side is taken.
    np.testing.assert_allclose(
      regularizers.defensive(params), np.sum((squares - 1) ** 2)
    )
    np.testing.assert_allclose(
      regularizers.defensive_trace(params), np.sum(squares - 1)
    )
    orthogonal = {"w": jnp.asarray(scipy.linalg.qr(rng.normal(size=(4, 4)))[0])}
    np.testing.assert_allclose(
      regularizers.defensive(orthogonal), 0, atol=1e-20
    )
    assert jnp.isfinite(jax.grad(regularizers.defensive)(orthogonal)["w"]).all()


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_weights_out_of_range_are_named(value):
  with pytest.raises(ValueError, match="weights_weight"):
    regularizers.gradient_penalty(
      loss_fn, weights_weight=value, activations_weight=0.0
    )


def test_nothing_to_penalise_is_named():
  params, batch = problem(jnp.float32)
  plain = regularizers.without_taps(lambda p, b: loss_fn(taps.identity, p, b))
  penalized = regularizers.gradient_penalty(
    plain, weights_weight=0.1, activations_weight=0.1
  )
  with pytest.raises(ValueError, match="taps no activation"):
    penalized(params, batch)
  with pytest.raises(ValueError, match="is a weight"):
    regularizers.defensive({"b": jnp.ones(3)})
