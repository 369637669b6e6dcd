"""Rate models: masses that add up, tails that stay finite, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from inrjax.quantize import rate_models


@pytest.fixture(scope="module")
def prior():
  params = rate_models.init_factorized(jax.random.key(0), 3)
  rng = np.random.default_rng(0)
  # Off the start, where every factor is zero.
  return jax.tree.map(
    lambda leaf: leaf + rng.normal(0, 0.5, leaf.shape).astype(np.float32),
    params,
  )


@pytest.fixture(scope="module")
def factorized_bits():
  return jax.jit(rate_models.factorized_bits)


@pytest.fixture(scope="module")
def gaussian_bits():
  return jax.jit(rate_models.gaussian_bits)


def test_sizes_of_table_3():
  # Fails if a layer or the hidden width is another: 5.50 k and 8.26 k.
  for channels, expected in ((128, 5504), (192, 8256)):
    shapes = jax.eval_shape(
      lambda key, n=channels: rate_models.init_factorized(key, n),
      jax.random.key(0),
    )
    count = sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
    assert count == expected


def test_learned_masses_add_up_to_one(prior, factorized_bits):
  values = jnp.arange(-600.0, 601.0)[:, None] * jnp.ones((1, 3))
  bits = factorized_bits(prior, values)
  # Fails if the interval is not one wide, or a half is mirrored wrongly.
  np.testing.assert_allclose(np.exp2(-bits).sum(0), 1, rtol=1e-4)
  assert np.all(bits >= 0)


def test_learned_distribution_by_loops(prior):
  def logit(channel, x):
    x = np.array([x])
    for k in range(4):
      layer = jax.tree.map(
        lambda a: np.asarray(a[channel], float), prior[f"layer_{k}"]
      )
      x = np.log1p(np.exp(layer["matrix"])) @ x + layer["bias"]
      if k < 3:
        x = x + np.tanh(layer["factor"]) * np.tanh(x)
    return x[0]

  values = np.linspace(-9, 9, 13)
  found = rate_models.factorized_logits(
    prior, jnp.asarray(np.repeat(values[:, None], 3, 1), jnp.float32)
  )
  expected = [[logit(c, x) for c in range(3)] for x in values]
  # Fails if channels are mixed, or a softplus or tanh is missing.
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
  assert np.all(np.diff(found, axis=0) > 0)


def test_gaussian_masses(gaussian_bits):
  scales = np.array([0.09, 0.3, 1.0, 7.0, 64.0])
  q = np.arange(-5, 6)[:, None]
  mass = stats.norm.cdf((0.5 - abs(q)) / scales)
  mass -= stats.norm.cdf((-0.5 - abs(q)) / scales)
  exact = mass > 0
  expected = -np.log2(np.where(exact, mass, 1))
  shape = expected.shape
  found = gaussian_bits(
    jnp.broadcast_to(jnp.asarray(q, jnp.float32), shape),
    jnp.broadcast_to(jnp.asarray(scales, jnp.float32), shape),
  )
  # Fails if the scale is taken for a variance, or bits for nats.
  np.testing.assert_allclose(
    found[exact], expected[exact], rtol=3e-4, atol=1e-6
  )


def test_tails_have_bits_and_slopes(prior, factorized_bits, gaussian_bits):
  far = jnp.asarray([-3000.0, -40.0, 40.0, 3000.0])
  near = jnp.full(4, 0.1)
  slopes = jax.jit(
    jax.grad(lambda x: rate_models.gaussian_bits(x, near).sum())
  )(far)
  # Fails if a probability is floored: its slope would be zero.
  assert np.all(np.isfinite(gaussian_bits(far, near)))
  np.testing.assert_array_equal(np.sign(slopes), np.sign(far))
  values = jnp.broadcast_to(far[:, None], (4, 3))
  slopes = jax.jit(
    jax.grad(lambda x: rate_models.factorized_bits(prior, x).sum())
  )(values)
  assert np.all(np.isfinite(factorized_bits(prior, values)))
  np.testing.assert_array_equal(np.sign(slopes), np.sign(values))


def test_gradients_by_finite_differences(prior):
  with jax.enable_x64(True):
    params = jax.tree.map(lambda a: jnp.asarray(np.asarray(a), float), prior)
    values = jnp.asarray(np.random.default_rng(1).normal(0, 4, (4, 3)))
    log_scales = jnp.asarray(np.random.default_rng(2).normal(0, 1, (4, 3)))
    grid = rate_models.ScaleGrid()

    def total(step):
      moved = jax.tree.map(lambda a: a + step, params)
      return (
        rate_models.factorized_bits(moved, values + step).sum()
        + rate_models.gaussian_bits(
          values + 2 * step, grid.scales(log_scales - step)
        ).sum()
      )

    total = jax.jit(total)
    slope = jax.jit(jax.jvp, static_argnums=0)(total, (0.0,), (1.0,))[1]
    reverse = jax.jit(jax.grad(total))(0.0)
    expected = (total(1e-5) - total(-1e-5)) / 2e-5
  # Fails if a stopped gradient stops more than a sign.
  np.testing.assert_allclose([slope, reverse], expected, rtol=1e-6)


def test_mixed_quantisation():
  y = jnp.asarray([0.4, -1.7, 12.3])
  means = jnp.asarray([0.25, 0.0, 0.45])
  rounded, pull = jax.vjp(rate_models.rounded, y, means)
  np.testing.assert_allclose(rounded, [0.25, -2.0, 12.45], rtol=1e-6)
  # Fails if no derivative passes, or the mean is asked to move for nothing.
  to_y, to_means = pull(jnp.asarray([1.0, 2.0, 3.0]))
  np.testing.assert_array_equal(to_y, [1, 2, 3])
  np.testing.assert_array_equal(to_means, 0)
  noise = rate_models.noisy(jax.random.key(0), jnp.zeros(1000))
  assert -0.5 <= noise.min() < -0.48 and 0.48 < noise.max() <= 0.5


def test_scales_outside_the_grid_can_come_back():
  grid = rate_models.ScaleGrid()
  assert grid.num_scales == 153
  logs = jnp.asarray([-9.0, -1.0, 7.0])
  scales, pull = jax.vjp(grid.scales, logs)
  np.testing.assert_allclose(scales, [2**-3.5, 0.5, 64], rtol=1e-6)
  # Fails if clipping takes the derivative away.
  np.testing.assert_allclose(
    pull(jnp.ones(3))[0], np.log(2) * np.asarray(scales), rtol=1e-5
  )


@pytest.mark.parametrize(
  "fields",
  [
    {"per_octave": 3},
    {"lowest": 6.0},
    {"highest": 6.01},
    {"lowest": -3.51, "highest": 0.49},
  ],
  ids=str,
)
def test_grids_that_are_none_are_refused(fields):
  with pytest.raises(ValueError, match="per_octave|lowest|grid"):
    rate_models.ScaleGrid(**fields)


def test_channels_must_agree(prior):
  with pytest.raises(ValueError, match="3 channels"):
    rate_models.factorized_bits(prior, jnp.zeros((2, 4)))
