"""Quantising whole networks, and what it does to them."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.quantize import grids, post_training, straight_through, taps


@pytest.fixture(scope="module")
def network():
  """`(apply, params, x)` of a Haiku network that knows nothing of taps."""
  net = hk.without_apply_rng(
    hk.transform(lambda x: hk.nets.MLP([8, 8, 3], activation=jnp.tanh)(x))
  )
  x = jax.random.normal(jax.random.key(1), (16, 5))
  return net.apply, net.init(jax.random.key(0), x), x


def test_a_tree_is_rounded_per_channel_or_per_tensor(network):
  _, params, _ = network
  for axis, shape in ((None, ()), (-1, (1, 8))):
    fitted = post_training.fit_params(params, num_bits=4, axis=axis)
    # Fails if biases are rounded.
    assert set(fitted) == {f"mlp/~/linear_{i}/w" for i in range(3)}
    assert fitted["mlp/~/linear_0/w"].scale.shape == shape
    rounded = post_training.quantize_params(fitted, params)
    for i in range(3):
      name = f"mlp/~/linear_{i}"
      half = fitted[f"{name}/w"].scale / 2
      error = np.abs(rounded[name]["w"] - params[name]["w"])
      assert np.all(error <= half * (1 + 1e-5)) and error.max() > 0
      np.testing.assert_array_equal(rounded[name]["b"], params[name]["b"])
    if axis is None:
      assert len(np.unique(rounded["mlp/~/linear_1"]["w"])) <= 15


def test_calibration_is_the_extremes_over_all_batches(network):
  apply, params, x = network
  tapped = taps.tap_products(apply)
  found = post_training.calibrate(tapped, params, [x[:8], x[8:]])
  assert set(found) == {"activation_0", "activation_1"}
  layer = params["mlp/~/linear_0"]
  hidden = np.tanh(np.asarray(x @ layer["w"]) + np.asarray(layer["b"])[None])
  # Fails if the last batch replaces the ones before.
  np.testing.assert_allclose(
    found["activation_0"], (hidden.min(), hidden.max()), rtol=1e-5
  )
  with pytest.raises(ValueError, match="no batches or no taps"):
    post_training.calibrate(tapped, params, [])
  with pytest.raises(ValueError, match="activation_0"):
    post_training.calibrate(tapped, params, [x * jnp.nan])


def test_wider_is_nearer_to_full_precision(network):
  # The (W, A) grid of tables 4.1 and 4.2 in a few lines.
  apply, params, x = network
  tapped = taps.tap_products(apply)
  logits = apply(params, x)
  ranges = post_training.calibrate(tapped, params, [x])
  found = []
  for num_bits in (2, 4, 6, 8):
    weights = post_training.fit_params(params, num_bits=num_bits)
    activations = post_training.fit_activations(
      ranges, num_bits=num_bits, scheme=grids.asymmetric
    )
    rounded = tapped(
      straight_through.quantizing(activations),
      post_training.quantize_params(weights, params),
      x,
    )
    found.append(float(post_training.predictive_kl(logits, rounded)))
  assert found == sorted(found, reverse=True)
  # Fails if activations or weights are left unrounded: four times narrower
  # bins are 16 times less KL.
  assert found[0] > 1e-3 and 5 < found[2] / found[3] < 60


def test_kl_by_hand():
  p, q = np.array([[0.5, 0.25, 0.25]]), np.array([[0.25, 0.5, 0.25]])
  found = post_training.predictive_kl(jnp.log(p) + 3.0, jnp.log(q))
  # Fails if the two are exchanged or bits are meant.
  np.testing.assert_allclose(found, 0.25 * np.log(2), rtol=1e-5)
  assert post_training.predictive_kl(jnp.log(p), jnp.log(p)) == 0


def test_predicted_change_is_first_order():
  with jax.enable_x64(True):
    rng = np.random.default_rng(0)
    params = {"w": jnp.asarray(rng.normal(size=(4, 3)))}
    batch = jnp.asarray(rng.normal(size=(5, 4)))

    def loss_fn(params, x):
      return jnp.mean(jnp.sin(x @ params["w"]))

    for num_bits, tolerance in ((8, 0.2), (16, 1e-3)):
      fitted = post_training.fit_params(params, num_bits=num_bits)
      change = post_training.loss_change(loss_fn, params, fitted, batch)
      rounded = post_training.quantize_params(fitted, params)
      np.testing.assert_allclose(
        change.induced, loss_fn(rounded, batch) - loss_fn(params, batch)
      )
      # Fails for a sign, or if the norm is not over half bins.
      np.testing.assert_allclose(
        change.predicted, change.induced, rtol=tolerance
      )
      assert abs(change.predicted) <= change.bound
    grads = jax.grad(loss_fn)(params, batch)
    np.testing.assert_allclose(
      change.bound,
      float(fitted["w"].scale) / 2 * np.abs(grads["w"]).sum(),
    )


def test_ranges_from_batch_norm():
  scale, offset = np.array([1.0, -2.0]), np.array([0.5, 0.0])
  assert post_training.batch_norm_range(scale, offset) == (-12.0, 12.0)
  # Fails if the ReLU is not looked at, or the sign of the scale is.
  assert post_training.batch_norm_range(
    scale, offset, num_deviations=2.0, lowest=0.0, highest=6.0
  ) == (0.0, 4.0)
  rng = np.random.default_rng(0)
  values = np.maximum(rng.normal(size=(1000, 2)) * scale + offset, 0)
  found = post_training.batch_norm_range(scale, offset, lowest=0.0)
  assert found.lowest <= values.min() and values.max() <= found.highest
  (grid,) = post_training.fit_activations({"a": found}, num_bits=8).values()
  # Fails if half of the integers are for values that a ReLU does not give.
  assert float(grid.scale) == pytest.approx(12 / 255)


@pytest.mark.parametrize(
  ("call", "message"),
  [
    (lambda p: post_training.fit_params(p, num_bits=1), r"\[2, 32\]"),
    (lambda p: post_training.fit_params(p, num_bits=33), r"\[2, 32\]"),
    (
      lambda p: post_training.fit_params({"a": {"w": jnp.nan * p}}, num_bits=4),
      "a/w",
    ),
    (lambda p: post_training.fit_params({"b": p}, num_bits=4), "None of"),
    (
      lambda p: post_training.batch_norm_range([np.nan], [0.0]),
      "must be finite",
    ),
    (lambda p: post_training.batch_norm_range([1.0], [0.0, 1.0]), "one shape"),
    (
      lambda p: post_training.batch_norm_range([1.0], [0.0], num_deviations=0),
      "positive",
    ),
  ],
  ids=range(7),
)
def test_bad_input_is_named(call, message):
  with pytest.raises(ValueError, match=message):
    call(jnp.ones((2, 2)))
