"""Sound as contexts."""

import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.coords import audio


@pytest.mark.parametrize("limits", [audio.COINPP_RANGE, audio.ECOP_RANGE])
def test_times_fill_the_papers_range(limits):
  # Fails if the range is ignored.
  low, high = limits
  context = audio.audio_context(100, low=low, high=high)(jnp.zeros(100))
  step = (high - low) / 100
  np.testing.assert_allclose(np.diff(context.coords[:, 0]), step, rtol=1e-3)
  np.testing.assert_allclose(context.coords[0, 0], low + step / 2, rtol=1e-5)
  np.testing.assert_allclose(context.coords[-1, 0], high - step / 2, rtol=1e-5)


def test_integers_and_floats_are_scaled_alike():
  # Fails if one of the two is scaled by another range.
  sound = np.array([-32768, -20000, 0, 123, 32767], np.int16)
  as_context = audio.audio_context(5)
  exact = as_context(jnp.asarray(sound)).values[:, 0]
  assert (exact[0], exact[-1]) == (0, 1)
  rounded = as_context(jnp.asarray(sound / np.float32(32768))[:, None]).values
  np.testing.assert_allclose(exact, rounded[:, 0], atol=2**-15)


def test_other_sounds_are_refused():
  with pytest.raises(ValueError, match="made for 4 samples"):
    audio.audio_context(4)(jnp.zeros(5))
  with pytest.raises(ValueError, match="give int16"):
    audio.audio_context(4)(jnp.zeros(4, jnp.int32))
