"""Windows of an image give what the whole image gives."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inrjax.codec import errors, latent_windows
from inrjax.networks import hyperprior


@given(st.integers(1, 400), st.integers(5, 70))
def test_windows_divide_an_axis(length, max_window):
  found = latent_windows.spans(length, max_window)
  # Fails if a latent is kept twice or never, or windows differ in size.
  assert found[0].keep_start == 0 and found[-1].keep_stop == length
  for before, after in zip(found[:-1], found[1:], strict=True):
    assert before.keep_stop == after.keep_start
  sizes = {s.stop - s.start for s in found}
  assert len(sizes) == 1 and sizes.pop() <= max(max_window, 1)
  for s in found:
    assert 0 <= s.start <= s.keep_start < s.keep_stop <= s.stop <= length
    assert s.start == 0 or s.keep_start - s.start >= 2
    assert s.stop == length or s.stop - s.keep_stop >= 2


@pytest.fixture(scope="module")
def network():
  config = hyperprior.HyperpriorConfig(3, 2, 2)
  network = hyperprior.make_hyperprior(config)
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(network.init, jax.random.key(0))
  params = jax.tree.map(
    lambda s: rng.normal(0, 0.4, s.shape).astype(np.float32), shapes
  )
  return (
    jax.jit(lambda x: network.analysis.apply(params["analysis"], x)),
    jax.jit(lambda y: network.synthesis.apply(params["synthesis"], y)),
  )


def test_windows_are_the_whole(network):
  analysis, synthesis = network
  rng = np.random.default_rng(1)
  image = rng.random((16 * 9, 16 * 12, 3)).astype(np.float32)
  whole = np.asarray(analysis(image[None]))[0]
  parts = latent_windows.analyse(analysis, image, max_window=8)
  # Fails if windows overlap by less than the network sees.
  np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-5)
  y = np.round(8 * whole)
  whole = np.asarray(synthesis(y[None]))[0]
  region = (0, 0, *whole.shape[:2])
  parts = latent_windows.synthesise(synthesis, y, region, max_window=8)
  scale = np.abs(whole).max()
  np.testing.assert_allclose(parts / scale, whole / scale, atol=1e-5)
  region = (17, 100, 60, 101)
  part = latent_windows.synthesise(synthesis, y, region, max_window=8)
  np.testing.assert_allclose(
    part / scale, whole[17:60, 100:101] / scale, atol=1e-5
  )


def test_regions_outside_are_refused(network):
  with pytest.raises(errors.CodecError, match="leaves"):
    latent_windows.synthesise(network[1], np.zeros((1, 1, 2)), (0, 0, 17, 16))
  with pytest.raises(ValueError, match="max_window"):
    latent_windows.spans(9, 4)
