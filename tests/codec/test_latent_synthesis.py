"""The hyper-synthesis in integers: exact, and close to the network in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.codec import errors, latent_synthesis
from inrjax.networks import hyperprior
from inrjax.quantize import rate_models

CONFIG = hyperprior.HyperpriorConfig(6, 5, 4)


@pytest.fixture(scope="module")
def params():
  network = hyperprior.make_hyperprior(CONFIG).hyper_synthesis
  shapes = jax.eval_shape(network.init, jax.random.key(0))
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda s: rng.normal(0, 0.3, s.shape).astype(np.float32), shapes
  )


@pytest.fixture(scope="module")
def hyper():
  return np.random.default_rng(1).integers(-9, 10, (3, 5, 4))


def _by_python_integers(params, z):
  """Loops over unbounded integers: nothing can be rounded."""

  def layer(x, index, input_bits):
    w = np.rint(params[f"conv_{index}"]["w"].astype(float) * 2**16)
    b = np.rint(
      params[f"conv_{index}"]["b"].astype(float) * 2.0 ** (16 + input_bits)
    )
    w, b = w.astype(int).astype(object), b.astype(int).astype(object)
    up = 2 if index < 2 else 1
    height, width = up * x.shape[0], up * x.shape[1]
    y = np.empty((height, width, len(b)), object)
    reach = 3 if up == 2 else 1
    for i in range(height):
      for j in range(width):
        total = b.copy()
        for k, m in np.ndindex(w.shape[:2]):
          row, column = i + k - reach, j + m - reach
          if row % up or column % up:
            continue
          row, column = row // up, column // up
          if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]:
            total = total + x[row, column] @ w[k, m]
        y[i, j] = total
    shift = 16 + input_bits - 12
    floor = y >> shift
    rest = y - (floor << shift)
    half = 1 << (shift - 1)
    up_one = (rest > half) | ((rest == half) & (floor % 2 == 1))
    return floor + up_one.astype(int)

  x = z.astype(object)
  for index in range(2):
    x = np.maximum(layer(x, index, 12 if index else 0), 0)
  return layer(x, 2, 12).astype(np.int64)


def test_means_and_scales_are_exact(params, hyper):
  hyper = hyper[:2, :2]
  moments = latent_synthesis.ExactHyperSynthesis(params)(hyper)
  expected = _by_python_integers(params, hyper)
  # Fails if any product or sum is rounded, a tap misplaced, or ties go up.
  np.testing.assert_array_equal(moments.means, expected[..., :5])
  steps = np.rint((expected[..., 5:] / 2**12 + 3.5) * 16)
  np.testing.assert_array_equal(moments.scales, np.clip(steps, 0, 152))
  assert moments.means.dtype == np.int32
  assert moments.scales.dtype == np.uint8


def test_close_to_the_network(params, hyper):
  network = hyperprior.make_hyperprior(CONFIG).hyper_synthesis
  predicted = jax.jit(network.apply)(params, jnp.asarray(hyper[None], float))
  means, log_scales = hyperprior.split_moments(predicted[0])
  moments = latent_synthesis.ExactHyperSynthesis(params)(hyper)
  # Fails if the codec evaluates another network than was trained.
  found = latent_synthesis.to_float(moments.means)
  np.testing.assert_allclose(found, means, atol=0.01)
  index = np.clip((np.asarray(log_scales) + 3.5) * 16, 0, 152)
  assert np.abs(moments.scales - index).max() < 0.7


def test_strips_change_nothing(params, hyper, monkeypatch):
  whole = latent_synthesis.ExactHyperSynthesis(params)(hyper)
  monkeypatch.setattr(latent_synthesis, "_STRIP_POSITIONS", 7)
  parts = latent_synthesis.ExactHyperSynthesis(params)(hyper)
  # Fails if a strip misses its neighbours' rows.
  np.testing.assert_array_equal(parts.means, whole.means)
  np.testing.assert_array_equal(parts.scales, whole.scales)


def test_extreme_inputs_stay_exact(params):
  large = jax.tree.map(lambda leaf: np.sign(leaf) * np.float32(40), params)
  exact = latent_synthesis.ExactHyperSynthesis(large)
  z = np.full((1, 2, 4), latent_synthesis.MAX_HYPER_LATENT)
  for sign in (-1, 1):
    moments = exact(sign * z)
    # In another order of channels the same: fails if sums leave 2^53.
    order = np.array([2, 0, 3, 1])
    turned = jax.tree.map(np.copy, large)
    turned["conv_0"]["w"] = large["conv_0"]["w"][:, :, order]
    again = latent_synthesis.ExactHyperSynthesis(turned)(sign * z[..., order])
    np.testing.assert_array_equal(moments.means, again.means)
    assert np.abs(moments.means.astype(np.int64)).max() < 2**31


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda p: p["conv_1"].pop("b"), "weight and a bias"),
    (lambda p: p["conv_1"].update(w=np.zeros((5, 5, 4, 3))), "shapes"),
    (lambda p: p["conv_0"]["w"].fill(np.nan), "not finite"),
    (lambda p: p["conv_2"]["w"].fill(1e9), "too large"),
    (lambda p: p["conv_2"]["b"].fill(1e12), "too large"),
    (
      lambda p: p["conv_1"].update(w=np.zeros((5, 5, 9, 4))),
      "fit together",
    ),
  ],
  ids=["missing", "shape", "nan", "weight", "bias", "channels"],
)
def test_networks_it_cannot_evaluate_are_refused(params, change, message):
  broken = jax.tree.map(np.copy, params)
  change(broken)
  with pytest.raises(errors.CodecError, match=message):
    latent_synthesis.ExactHyperSynthesis(broken)


def test_hyper_latents_are_checked(params):
  exact = latent_synthesis.ExactHyperSynthesis(params)
  for wrong in (
    np.zeros((2, 2, 3), int),
    np.zeros((2, 2, 4)),
    np.full((1, 1, 4), 1 << 15),
  ):
    with pytest.raises(errors.CodecError, match="hyper-latents"):
      exact(wrong)
  with pytest.raises(errors.CodecError, match="byte"):
    latent_synthesis.ExactHyperSynthesis(
      params, rate_models.ScaleGrid(per_octave=32)
    )
