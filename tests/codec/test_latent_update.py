"""Model updates in a stream: identity of zero, sizes, damage."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.codec import errors, latent_update
from inrjax.quantize import spike_and_slab as sas

PAPER = sas.SpikeAndSlab()
SHAPES = {"b": {"w": (60, 50), "bias": (7,)}, "a": {"gamma": (40, 40)}}


def _tree(make):
  return jax.tree.map(make, SHAPES, is_leaf=lambda s: isinstance(s, tuple))


@pytest.fixture(scope="module")
def params():
  rng = np.random.default_rng(0)
  return _tree(lambda s: rng.normal(size=s).astype(np.float32))


@pytest.fixture(scope="module")
def delta():
  rng = np.random.default_rng(1)
  return _tree(
    lambda s: (rng.normal(0, 0.06, s) * (rng.random(s) < 0.1)).astype(
      np.float32
    )
  )


SCALES = {"b": {"w": 0.5, "bias": -4.0}, "a": {"gamma": 1.2}}


def _assert_same(found, expected):
  jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("scales", [None, SCALES], ids=["own", "learned"])
@pytest.mark.parametrize(
  "prior",
  [PAPER, sas.SpikeAndSlab(0.01, 0.03, 0.0)],
  ids=["paper", "slab"],
)
def test_round_trip(params, delta, prior, scales):
  update = latent_update.quantize(prior, delta, scales)
  # Fails if the codec rounds otherwise than training does.
  rounded = sas.quantize_tree(prior, jax.tree.map(jnp.asarray, delta), scales)
  jax.tree.map(
    lambda k, r: np.testing.assert_allclose(
      k * prior.bin_width, r, rtol=1e-5, atol=1e-9
    ),
    update.symbols,
    rounded,
  )
  again = latent_update.decode(latent_update.encode(update), params)
  assert again.prior == prior
  _assert_same(again.symbols, update.symbols)
  assert (again.scale_indices is None) == (scales is None)
  if scales is not None:
    _assert_same(again.scale_indices, update.scale_indices)


@pytest.mark.parametrize("scales", [None, SCALES], ids=["own", "learned"])
@pytest.mark.parametrize("alpha", [0.0, 1000.0])
def test_size_is_the_computed_rate(delta, alpha, scales):
  prior = sas.SpikeAndSlab(spike_weight=alpha)
  update = latent_update.quantize(prior, delta, scales)
  size = 8 * len(latent_update.encode(update))
  if alpha != 1000:
    size -= 8 * 24  # The prior's own numbers.
  rounded = sas.quantize_tree(prior, jax.tree.map(jnp.asarray, delta), scales)
  rate = float(sas.total_bits(sas.discrete_bits, prior, rounded, scales))
  # Fails if eq. 5 is coded with another slab, or not renormalised.
  assert abs(size - rate) <= 0.001 * rate + 64
  costs = jax.tree.leaves(latent_update.cost(update))
  assert sum(costs) == pytest.approx(rate, rel=1e-3)


def test_zero_update(params):
  update = latent_update.zero_update(params)
  data = latent_update.encode(update)
  rate = float(sas.zero_update_bits(PAPER, params))
  # M_0 of 4607 parameters is 24 bits.
  assert abs(8 * len(data) - rate) <= 0.001 * rate + 64
  # At the size of a real model the range coder's last byte no longer counts.
  large = {"w": np.zeros(2_000_000, np.float32)}
  data = latent_update.encode(latent_update.zero_update(large))
  rate = float(sas.zero_update_bits(PAPER, large))
  assert abs(8 * len(data) - rate) <= 0.001 * rate + 64
  again = latent_update.decode(
    latent_update.encode(update), jax.eval_shape(lambda: params)
  )
  applied = latent_update.apply(params, again)
  # Bit for bit, a negative zero included.
  params = jax.tree.map(np.copy, params)
  params["b"]["bias"][:] = -0.0
  applied = latent_update.apply(params, again)
  jax.tree.map(
    lambda a, p: np.testing.assert_array_equal(
      a.view(np.uint32), p.view(np.uint32)
    ),
    applied,
    params,
  )


def test_applied_update_is_what_training_saw(params, delta):
  update = latent_update.quantize(PAPER, delta)
  applied = latent_update.apply(params, update)
  rounded = sas.quantize_tree(PAPER, jax.tree.map(jnp.asarray, delta))
  jax.tree.map(
    lambda a, p, r: np.testing.assert_allclose(a, p + r, atol=1e-6),
    applied,
    params,
    rounded,
  )
  assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(applied))


def test_damaged_updates_are_refused_or_other(params, delta):
  update = latent_update.quantize(PAPER, delta, SCALES)
  data = latent_update.encode(update)
  rng = np.random.default_rng(2)
  refused = 0
  for trial in range(100):
    damaged = bytearray(data)
    place = trial if trial < 6 else rng.integers(len(data))
    damaged[place] ^= 1 << int(rng.integers(8))
    if trial % 4 == 3:
      damaged = damaged[: rng.integers(len(data))]
    try:
      again = latent_update.decode(bytes(damaged), params)
    except errors.CorruptBitstreamError:
      refused += 1
      continue
    # Fails if two streams mean the same update.
    assert any(
      not np.array_equal(a, b)
      for a, b in zip(
        jax.tree.leaves((again.symbols, again.scale_indices)),
        jax.tree.leaves((update.symbols, update.scale_indices)),
        strict=True,
      )
    )
  assert refused > 50


def test_update_of_another_model_is_refused(params, delta):
  data = latent_update.encode(latent_update.quantize(PAPER, delta))
  for other in (
    {"w": np.zeros(3, np.float32)},
    {"w": np.zeros(200_000, np.float32)},
  ):
    # Fails if the bytes may stand for another number of parameters.
    with pytest.raises(errors.CorruptBitstreamError):
      latent_update.decode(data, other)


@pytest.mark.parametrize(
  "prior",
  [
    (0.0, 0.05, 1000.0),
    (0.005, np.nan, 1.0),
    (0.005, 0.05, 1000.0),
    (1e300, 1e307, 1.0),
    (5e-324, 1e-323, 0.0),
    (0.005, 0.05, 1e308),
  ],
  ids=["zero", "nan", "default", "huge", "tiny", "spike"],
)
def test_priors_that_no_encoder_writes(params, prior):
  data = bytes([2]) + np.array(prior, ">f8").tobytes()
  with pytest.raises(errors.CorruptBitstreamError, match="damaged"):
    latent_update.decode(data, params)


def test_slabs_narrower_than_a_bin(params, delta):
  # Fails if a bin without any mass stops the coder.
  prior = sas.SpikeAndSlab(bin_width=0.005, slab=0.001, spike_weight=0.0)
  scales = jax.tree.map(lambda _: -4.0, delta)
  update = latent_update.quantize(prior, delta, scales)
  again = latent_update.decode(latent_update.encode(update), params)
  _assert_same(again.symbols, update.symbols)
  costs = jax.tree.leaves(latent_update.cost(update))
  assert all(np.isfinite(cost) for cost in costs)


def test_bad_input(params, delta):
  broken = jax.tree.map(lambda leaf: leaf * np.float32(np.nan), delta)
  with pytest.raises(errors.CodecError, match="diverged"):
    latent_update.quantize(PAPER, broken)
  scales = jax.tree.map(lambda _: np.nan, delta)
  with pytest.raises(errors.CodecError, match="diverged"):
    latent_update.quantize(PAPER, delta, scales)
  update = latent_update.quantize(PAPER, delta)
  update.symbols["a"]["gamma"][0, 0] = 30
  with pytest.raises(errors.CodecError, match="beyond"):
    latent_update.encode(update)
  for data in (b"", b"\x04", bytes([1, 0, 0, 33]), bytes([1, 0])):
    with pytest.raises(errors.CorruptBitstreamError):
      latent_update.decode(data, params)
