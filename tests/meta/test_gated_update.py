"""Gates in place of the spike: what they cost, close, and learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from inrjax.coords import select, video
from inrjax.meta import gated_update, instance_adaptive
from inrjax.quantize import spike_and_slab as sas
from tests.meta import adaptive_problem
from tests.meta.adaptive_problem import BETA, MODEL

PRIOR = sas.SpikeAndSlab()


@pytest.fixture(scope="module")
def params():
  return adaptive_problem.make_params()


@pytest.fixture(scope="module")
def fast(params):
  """Changes of a few bins, and gates from closed to open."""
  rng = np.random.default_rng(0)
  start = gated_update.gated_start(
    instance_adaptive.full_model(params), log_alpha=0.1
  )
  draw = lambda scale: (  # noqa: E731
    lambda leaf: jnp.asarray(rng.normal(0, scale, leaf.shape), jnp.float32)
  )
  return start | {
    "delta": jax.tree.map(draw(0.1), start["delta"]),
    "log_alpha": jax.tree.map(draw(3.0), start["log_alpha"]),
  }


def _flat(tree):
  return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def test_bits_are_those_of_saying_which_and_by_how_much(fast):
  delta, log_alpha = _flat(fast["delta"]), _flat(fast["log_alpha"])
  log_alpha = np.clip(log_alpha, np.log(1e-2), np.log(1e2))
  is_open = special.expit(log_alpha - 2 / 3 * np.log(0.1 / 1.1))
  change = 1 / 1001
  slab = -stats.norm.logpdf(delta, scale=0.05) / np.log(2) - np.log2(0.005)
  expected = is_open * (slab - np.log2(change))
  expected -= (1 - is_open) * np.log2(1 - change)
  found = jax.jit(lambda fast: gated_update.expected_bits(PRIOR, fast))(fast)
  # Fails if a closed gate costs what an open one does, or bits are nats.
  assert float(found) == pytest.approx(expected.sum(), rel=1e-5)
  with pytest.raises(ValueError, match="odds"):
    gated_update.expected_bits(sas.SpikeAndSlab(spike_weight=0.0), fast)


def test_a_file_takes_what_gates_expect():
  """One parameter that surely changes, one that surely does not."""
  value = jnp.asarray([0.05])
  taken = sas.discrete_bits(PRIOR, jnp.asarray([0.05, 0.0]))
  fast = {"delta": {"w": value}, "log_alpha": {"w": jnp.asarray([99.0])}}
  found = jax.tree.map(
    lambda bits: float(bits),
    [
      gated_update.expected_bits(PRIOR, fast),
      gated_update.expected_bits(
        PRIOR, fast | {"log_alpha": {"w": jnp.asarray([-99.0])}}
      ),
    ],
  )
  # The range of log alpha leaves either a chance of 5 and 0.2 %. Fails if alpha
  # is taken for a probability, or the bin's width is left out.
  np.testing.assert_allclose(found[0], taken[0], rtol=0.01)
  assert found[1] == pytest.approx(0.047 * float(taken[0]), rel=0.1)


def test_what_is_closed_is_zero(params, fast):
  sent = jax.jit(gated_update.settled)(fast)
  assert sent.keys() == {"transmitter", "delta"}
  closed = _flat(fast["log_alpha"]) < np.log(1 / 11) - 1e-4
  assert 0.1 < closed.mean() < 0.9
  # Fails if what a gate closes is only made small, or gates are sampled.
  np.testing.assert_array_equal(_flat(sent["delta"])[closed], 0.0)
  wide = _flat(fast["log_alpha"]) > np.log(11) + 1e-4
  np.testing.assert_array_equal(
    _flat(sent["delta"])[wide], _flat(fast["delta"])[wide]
  )
  plain = instance_adaptive.full_model(params)
  assert gated_update.settled(plain) is plain


def test_gates_are_sampled_where_there_is_a_seed(params, fast):
  images = adaptive_problem.make_images()
  shape, num_pixels = images.shape[1:], images[..., 0].size
  ungated = instance_adaptive.rdm_loss(
    MODEL,
    beta=BETA,
    frame_shape=shape,
    num_pixels=num_pixels,
    prior=PRIOR,
    rate_fn=None,
  )
  loss_fn = gated_update.gated_loss(
    ungated, beta=BETA, num_pixels=num_pixels, prior=PRIOR
  )
  context = video.frame_context(len(images), *shape[:2])(images)
  seeded = instance_adaptive.seeded(select.full_context)

  chosen = [seeded(jax.random.key(i), {}, {}, context) for i in range(2)]
  gated = jax.jit(jax.value_and_grad(loss_fn, argnums=1))
  one, other, again = (gated(params, fast, c) for c in (*chosen, chosen[0]))
  # Fails if noise is of another source than the seed.
  assert one[0] == again[0] != other[0]
  rate = BETA * gated_update.expected_bits(PRIOR, fast) / num_pixels
  plain = jax.jit(ungated)
  sent = gated_update.settled(fast)
  # Fails if the gates have no noise, where the latents' is the same.
  assert abs(one[0] - plain(params, sent, chosen[0]) - rate) > 1e-4
  # Fails if what is measured is a sample, or M is left out.
  np.testing.assert_allclose(
    jax.jit(loss_fn)(params, fast, context),
    plain(params, sent, context) + rate,
    rtol=1e-5,
  )
  for name in ("delta", "log_alpha"):
    # Fails if the gates learn of the rate alone, or changes of nothing.
    assert np.any(_flat(one[1][name]))
