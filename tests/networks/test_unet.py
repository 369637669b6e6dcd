"""The U-Net: its size, its resolution, and how far it sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.networks import blocks, unet
from tests.networks import values

NARROW = unet.UNetConfig(2, (4, 6, 8), batch_norm=False)


@pytest.mark.parametrize(
  ("batch_norm", "expected"), [(False, 31_030_658), (True, 31_042_434)]
)
def test_number_of_parameters(batch_norm, expected):
  # Fails if a pair, an expansion or a concatenation is missing.
  network = unet.make_unet(unet.UNetConfig(batch_norm=batch_norm))
  assert blocks.num_parameters(network, (64, 64, 1)) == expected


@pytest.fixture(scope="module")
def narrow():
  network = unet.make_unet(NARROW)
  images = values.normal(2, 8, 12, 1)
  params, state = values.filled(network, images)
  return network, params, state, images


def test_logits_have_the_images_size(narrow):
  network, params, state, images = narrow
  apply = jax.jit(network.apply, static_argnums=3)
  logits, _ = apply(params, state, images, True)
  assert logits.shape == (2, 8, 12, 2)
  assert np.all(np.isfinite(logits))


def test_both_paths_reach_the_output(narrow):
  # Fails if the skip connections or the lower levels are left out.
  network, params, state, images = narrow

  def total(params):
    return jnp.sum(network.apply(params, state, images, True)[0] ** 2)

  grads = jax.jit(jax.grad(total))(params)
  for name in ("down_0_conv_0", "bottom_conv_1", "up_0_expand", "logits"):
    assert np.any(grads[name]["w"]), name
  # The expanding path reads the skip (first) and what comes from below.
  read = np.abs(grads["up_0_conv_0"]["w"]).sum((0, 1, 3))
  assert read.shape == (8,)
  assert read[:4].any() and read[4:].any()


@pytest.mark.parametrize(
  ("shape", "message"),
  [((1, 2, 8, 1), "at least 4 x 4"), ((1, 8, 6, 1), "multiples of 4")],
)
def test_images_it_cannot_take_are_refused(shape, message):
  with pytest.raises(ValueError, match=message):
    jax.eval_shape(
      unet.make_unet(NARROW).init, jax.random.key(0), jnp.zeros(shape)
    )


def test_one_level_is_refused():
  with pytest.raises(ValueError, match="two levels"):
    unet.UNetConfig(widths=(4,))
