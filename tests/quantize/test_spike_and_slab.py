"""The model prior: masses, bins, the two rates and appendix A's gradients."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from inrjax.quantize import spike_and_slab as sas

PAPER = sas.SpikeAndSlab()
SLAB = sas.SpikeAndSlab(spike_weight=0.0)


def _density(prior, x):
  slab = stats.norm.pdf(x, scale=prior.slab)
  spike = stats.norm.pdf(x, scale=prior.bin_width / 6)
  return (slab + prior.spike_weight * spike) / (1 + prior.spike_weight)


def _cdf(prior, x):
  slab = stats.norm.cdf(x, scale=prior.slab)
  spike = stats.norm.cdf(x, scale=prior.bin_width / 6)
  return (slab + prior.spike_weight * spike) / (1 + prior.spike_weight)


def _slope(fn):
  return jax.jit(jax.grad(lambda x: fn(x).sum()))


def _bins(prior):
  largest = (prior.num_bins - 1) // 2
  return np.arange(-largest, largest + 1) * prior.bin_width


def test_paper_settings():
  # Fails if the mixture's mass decides on the bins: three would be left.
  assert PAPER.num_bins == 59
  assert SLAB.num_bins == 59
  params = {"w": jnp.zeros((1000, 4160))}
  bits = sas.zero_update_bits(PAPER, params)
  # Table 1: 0.00033 bits per pixel of the mean of 1 / frames of table 2, with
  # 4.16 M parameters and 1920 x 1080 pixels.
  frames = np.mean([1 / n for n in (20, 38, 38, 42, 32)])
  assert round(float(bits) * frames / (1920 * 1080), 5) == 0.00033


@pytest.mark.parametrize("alpha", [0.0, 4.0, 1000.0])
@pytest.mark.parametrize("log_scale", [0.0, -1.0, 0.75])
def test_discrete_masses_add_up_to_one(alpha, log_scale):
  prior = sas.SpikeAndSlab(spike_weight=alpha)
  index = int(sas.scale_index(log_scale))
  largest = prior.largest_symbols[index]
  assert prior.slabs[index] == pytest.approx(0.05 * 2**log_scale, rel=1e-14)
  covered = 2 * stats.norm.cdf((largest + 0.5) * 0.005 / prior.slabs[index]) - 1
  fewer = 2 * stats.norm.cdf((largest - 0.5) * 0.005 / prior.slabs[index]) - 1
  # Fails if bins are missing, or there are more than needed.
  assert fewer < 1 - 2**-8 <= covered
  values = jnp.arange(-largest, largest + 1) * jnp.float32(0.005)
  bits = sas.discrete_bits(prior, values, log_scale)
  # Fails if the cut tails are not shared out, or those of another slab are.
  np.testing.assert_allclose(np.exp2(-bits).sum(), 1, rtol=2e-6)


@pytest.mark.parametrize("prior", [PAPER, SLAB], ids=["mixture", "slab"])
def test_rates_are_those_of_the_distribution(prior):
  half = prior.bin_width / 2
  bins = _bins(prior)
  mass = _cdf(prior, bins + half) - _cdf(prior, bins - half)
  # Fails if alpha = 0 is anything but the slab, or bits are nats.
  np.testing.assert_allclose(
    sas.discrete_bits(prior, jnp.asarray(bins, jnp.float32)),
    -np.log2(mass / mass.sum()),
    rtol=2e-4,
  )
  x = np.linspace(-0.2, 0.2, 41)
  np.testing.assert_allclose(
    sas.continuous_bits(prior, jnp.asarray(x, jnp.float32)),
    -np.log2(_density(prior, x) * prior.bin_width),
    rtol=1e-4,
    atol=1e-4,
  )


def test_quantiser_is_eq_4():
  x = jnp.asarray([-9.0, -0.1448, -0.0026, 0.0024, 0.0124, 0.1426, 0.2])
  found, pull = jax.vjp(lambda x: sas.quantize(PAPER, x), x)
  np.testing.assert_allclose(
    found, [-0.145, -0.145, -0.005, 0, 0.01, 0.145, 0.145], rtol=1e-6
  )
  # Fails if what is clipped gets no gradient: eq. 4 takes it for 1.
  np.testing.assert_array_equal(pull(jnp.arange(7.0))[0], np.arange(7.0))
  # A slab of twice the width reaches twice as far.
  wide = sas.quantize(PAPER, x, 1.0)
  assert float(wide[0]) == pytest.approx(-0.29)
  # Fails if quantising twice moves anything.
  np.testing.assert_array_equal(sas.quantize(PAPER, found), found)


def test_discrete_gradient_is_eq_11():
  bins = _bins(PAPER)[25:-25]
  half = PAPER.bin_width / 2
  with jax.enable_x64(True):
    x = jnp.asarray(bins + 0.001)
    grad = _slope(lambda x: sas.discrete_bits(PAPER, sas.quantize(PAPER, x)))(x)
  rise = _density(PAPER, bins + half) - _density(PAPER, bins - half)
  mass = _cdf(PAPER, bins + half) - _cdf(PAPER, bins - half)
  # Fails if rounding stops the gradient, or the wrong point is differentiated.
  np.testing.assert_allclose(
    grad, -rise / mass / math.log(2), rtol=1e-6, atol=1e-9
  )


def test_discrete_gradient_is_the_continuous_one_to_first_order():
  # Appendix A.1, without a spike: the error falls with the square of t.
  worst = []
  for bin_width in (0.01, 0.005):
    prior = sas.SpikeAndSlab(bin_width=bin_width, spike_weight=0.0)
    x = np.arange(1, 9) * 0.01
    with jax.enable_x64(True):
      discrete, continuous = (
        _slope(lambda x, fn=fn, prior=prior: fn(prior, x))(jnp.asarray(x))
        for fn in (sas.discrete_bits, sas.continuous_bits)
      )
    worst.append(np.max(np.abs(np.asarray(discrete / continuous) - 1)))
  assert worst[1] < 0.002
  assert worst[1] == pytest.approx(worst[0] / 4, rel=0.05)


def test_spike_hardly_shows_in_the_discrete_gradient():
  # Appendix A.2.
  prior = sas.SpikeAndSlab(spike_weight=4.0)
  x = jnp.asarray([0.0, 0.01, 0.05, -0.1])
  with_spike, without = (
    _slope(lambda x, prior=p: sas.discrete_bits(prior, x))(x)
    for p in (prior, SLAB)
  )
  assert float(with_spike[0]) == 0
  np.testing.assert_allclose(with_spike[1:], without[1:], rtol=1e-3)
  # But the continuous one draws small updates to zero, far more than the slab.
  small = jnp.asarray(0.001)
  pull, slab_pull = (
    _slope(lambda x, prior=p: sas.continuous_bits(prior, x))(small)
    for p in (prior, SLAB)
  )
  assert float(pull) > 50 * float(slab_pull)


@pytest.mark.parametrize(
  "bits_fn", [sas.continuous_bits, sas.discrete_bits], ids=["M", "M_bar"]
)
def test_learned_slab_has_the_slope_of_its_scale(bits_fn):
  # At alpha = 0 the continuous bits fall by log2(e) (x^2 / sigma^2 - 1) ln 2
  # for each octave; the discrete ones agree but for the bins' and tails' parts.
  x = jnp.asarray([0.05, 0.1])
  slope = _slope(lambda s: bits_fn(SLAB, x, s))(0.5)
  ratio = np.asarray(x) ** 2 / (0.05**2 * 2)
  # Fails if the rounding of the scale takes its derivative away.
  assert float(slope) == pytest.approx(float((1 - ratio).sum()), abs=0.15)


def test_trees_with_a_slab_for_each_tensor():
  updates = {"a": {"w": jnp.asarray([0.3, -0.001])}, "b": jnp.asarray(0.02)}
  scales = {"a": {"w": jnp.asarray(1.0)}, "b": jnp.asarray(-1.0)}

  @jax.jit
  def measured(updates, scales):
    rounded = sas.quantize_tree(PAPER, updates, scales)
    w, b = rounded["a"]["w"], rounded["b"]
    zeros = jax.tree.map(jnp.zeros_like, updates)
    bits = sas.discrete_bits
    return {
      "rounded": w,
      "total": sas.total_bits(bits, PAPER, rounded, scales),
      "parts": bits(PAPER, w, 1.0).sum() + bits(PAPER, b, -1.0),
      "zeros": [sas.total_bits(bits, PAPER, zeros, s) for s in (None, scales)],
      "zero": [sas.zero_update_bits(PAPER, zeros, s) for s in (None, scales)],
    }

  found = measured(updates, scales)
  np.testing.assert_allclose(found["rounded"], [0.29, 0], rtol=1e-6)
  # Fails if a tensor gets the slab of another.
  np.testing.assert_allclose(found["total"], found["parts"], rtol=1e-5)
  # Fails if M_0 forgets the sizes of tensors, or their slabs.
  np.testing.assert_allclose(found["zero"], found["zeros"], rtol=1e-4)
  assert found["zero"][0] != found["zero"][1]


@pytest.mark.parametrize(
  "fields",
  [
    {"bin_width": 0.0},
    {"slab": 0.0005},
    {"spike_weight": -1.0},
    {"spike_weight": math.inf},
    {"bin_width": 1e-6},
  ],
  ids=str,
)
def test_priors_that_are_none_are_refused(fields):
  with pytest.raises(ValueError, match="bin_width|slab|spike_weight"):
    sas.SpikeAndSlab(**fields)


def test_the_discrete_rate_as_a_loss_is_of_rounded_updates():
  x = jnp.asarray([0.0, 0.002, 0.004, 0.013, -0.02])
  bits = sas.rounded_bits(PAPER, x)
  rounded = PAPER.bin_width * jnp.asarray([0, 0, 1, 3, -4])
  np.testing.assert_allclose(bits, sas.discrete_bits(PAPER, rounded))
  slopes = _slope(lambda x: sas.rounded_bits(PAPER, x))(x)
  # Fails if what is not rounded has the slope of its own place (eq. 7).
  np.testing.assert_allclose(slopes[:2], 0.0, atol=1e-4)
  assert slopes[2] > 1 and slopes[4] < -1
