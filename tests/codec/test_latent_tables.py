"""Tables computed where they are needed: right, and the same everywhere."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from inrjax.codec import errors, latent_tables
from inrjax.quantize import rate_models


def _prior(num_channels=3, seed=0):
  shapes = jax.eval_shape(
    lambda key: rate_models.init_factorized(key, num_channels),
    jax.random.key(0),
  )
  rng = np.random.default_rng(seed)
  # Multiples of 2^-10, which every machine draws alike.
  return jax.tree.map(
    lambda s: (rng.integers(-1200, 200, s.shape) / 1024).astype(np.float32),
    shapes,
  )


def test_gaussian_tables():
  split, narrow, wide = latent_tables.gaussian_tables()
  assert split == 56 == narrow.num_tables
  assert split + wide.num_tables == rate_models.DEFAULT_GRID.num_scales
  q = np.arange(-8, 9)
  for index in (0, 40, 55, 56, 90, 152):
    scale = 2.0 ** (-3.5 + index / 16)
    expected = stats.norm.cdf((q + 0.5) / scale)
    expected -= stats.norm.cdf((q - 0.5) / scale)
    tables, first = (narrow, 0) if index < split else (wide, split)
    found = tables.freq[index - first, q + tables.offset]
    # Fails if scales are shifted by one or taken for variances.
    np.testing.assert_allclose(
      found / 2.0**tables.precision, expected, atol=8e-6, rtol=2e-4
    )
  with pytest.raises(errors.CodecError, match="below"):
    latent_tables.gaussian_tables(rate_models.ScaleGrid(lowest=0.0))


def test_learned_tables_are_the_rate_model():
  prior = _prior()
  tables = latent_tables.factorized_tables(prior)
  q = np.arange(-6, 7)
  bits = jax.jit(rate_models.factorized_bits)(
    prior, jnp.asarray(np.repeat(q[:, None], 3, 1), jnp.float32)
  )
  found = tables.bits[:, q + tables.offset].T
  # Fails if channels are mixed, or a layer is evaluated otherwise.
  likely = np.asarray(bits) < 12
  assert likely.sum() > 20
  np.testing.assert_allclose(found[likely], bits[likely], rtol=3e-3, atol=1e-3)


def test_wide_densities_get_more_columns():
  prior = _prior()
  narrow = latent_tables.factorized_tables(prior)
  prior["layer_0"]["matrix"] -= np.float32(4)
  wide = latent_tables.factorized_tables(prior)
  # Fails if the radius does not follow the tails.
  assert wide.freq.shape[1] > 2 * narrow.freq.shape[1]
  assert wide.freq.shape[1] <= 2 * 1024 + 1


def test_golden_tables():
  digest = hashlib.sha256()
  for tables in latent_tables.gaussian_tables()[1:]:
    digest.update(tables.freq.astype("<u4"))
  digest.update(latent_tables.factorized_tables(_prior()).freq.astype("<u4"))
  # Streams depend on them: a change here needs a new format version.
  assert digest.hexdigest()[:16] == GOLDEN


@pytest.mark.parametrize(
  "change",
  [
    lambda p: p.pop("layer_2"),
    lambda p: p["layer_3"].update(factor=np.zeros((3, 1))),
    lambda p: p["layer_1"].update(bias=np.zeros((3, 2))),
    lambda p: p["layer_1"].update(matrix=np.zeros((2, 3, 3))),
    lambda p: p["layer_0"]["bias"].fill(np.inf),
  ],
  ids=["layer", "factor", "bias", "matrix", "infinite"],
)
def test_priors_it_cannot_evaluate_are_refused(change):
  prior = _prior()
  change(prior)
  with pytest.raises(errors.CodecError, match="layer"):
    latent_tables.factorized_tables(prior)


GOLDEN = "6a750f454f68ff28"
