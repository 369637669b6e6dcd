"""VGG: the literature's sizes, and what it refuses."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.networks import blocks, vgg
from tests.networks import values

CIFAR = (32, 32, 3)
IMAGENET = (224, 224, 3)
NARROW = vgg.VggConfig(
  3, (1, 2), (4, 6), hidden=(5,), pooled_size=2, hidden_norm=True
)


@pytest.mark.parametrize(
  ("config", "shape", "expected"),
  [
    pytest.param(vgg.vgg16(), CIFAR, 14_728_266, id="vgg16"),
    pytest.param(vgg.vgg19(), CIFAR, 20_040_522, id="vgg19"),
    pytest.param(vgg.vgg19(100), CIFAR, 20_086_692, id="vgg19-cifar100"),
    pytest.param(vgg.vgg19_3sp(), CIFAR, 17_351_242, id="vgg19_3sp"),
    pytest.param(vgg.vgg_like(), CIFAR, 14_033_546, id="vgg_like"),
    # torchvision's vgg16_bn, vgg16 and vgg19_bn.
    pytest.param(vgg.vgg16_imagenet(), IMAGENET, 138_365_992, id="imagenet16"),
    pytest.param(
      dataclasses.replace(vgg.vgg16_imagenet(), batch_norm=False),
      IMAGENET,
      138_357_544,
      id="imagenet16-plain",
    ),
    pytest.param(vgg.vgg19_imagenet(), IMAGENET, 143_678_248, id="imagenet19"),
  ],
)
def test_number_of_parameters(config, shape, expected):
  # Fails if a layer, a bias or a norm is missing or too many.
  assert blocks.num_parameters(vgg.make_vgg(config), shape) == expected


def test_the_thesis_counts_about_5000_channels():
  # "structurally pruned VGG-19 will have roughly 5,000 entries" (3.2).
  counts = zip(vgg.vgg19().convs, vgg.vgg19().widths, strict=True)
  assert sum(n * width for n, width in counts) == 5504


@pytest.fixture(scope="module")
def narrow():
  network = vgg.make_vgg(NARROW)
  images = values.normal(4, 8, 8, 3)
  params, state = values.filled(network, images)
  apply = jax.jit(network.apply, static_argnums=3)
  return apply, params, state, images


def test_batch_statistics_are_used_and_kept_in_training_only(narrow):
  apply, params, state, images = narrow
  logits, moved = apply(params, state, images, True)
  assert logits.shape == (4, 3)
  other, kept = apply(params, moved, images, False)
  assert other.shape == (4, 3)
  for new, old in zip(
    jax.tree.leaves(kept), jax.tree.leaves(moved), strict=True
  ):
    np.testing.assert_array_equal(new, old)
  # After one step the debiased averages are the batch's own statistics: fails
  # if the two modes normalise differently.
  np.testing.assert_allclose(other, logits, atol=2e-5)


def test_the_images_of_a_batch_do_not_mix_outside_training(narrow):
  apply, params, state, images = narrow
  all_, _ = apply(params, state, images, False)
  one, _ = apply(params, state, images[:1], False)
  np.testing.assert_allclose(all_[:1], one, rtol=1e-4, atol=1e-4)


def test_convolutions_have_he_variance():
  # Fails for fan-in, or a truncated normal that is not corrected.
  network = vgg.make_vgg(vgg.VggConfig(3, (1,), (64,)))
  params, _ = jax.jit(network.init)(jax.random.key(0), jnp.zeros((1, 2, 2, 3)))
  w = params["block_0_conv_0"]["w"]
  assert np.std(w) == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.1)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"convs": (1, 2, 3)}, "3 and 2 blocks"),
    ({"convs": (), "widths": ()}, "0 and 0 blocks"),
    ({"widths": (4, 0)}, r"widths .* \(4, 0\)"),
    ({"num_classes": 0}, "num_classes"),
    ({"pooled_size": 0}, "pooled_size"),
  ],
)
def test_impossible_shapes_are_refused(changes, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(NARROW, **changes)


@pytest.mark.parametrize(
  ("shape", "message"),
  [
    ((8, 8, 3), r"\[B, H, W, C\]"),
    ((1, 1, 8, 3), "at least 2 x 2"),
    ((1, 6, 8, 3), "cannot be averaged"),
  ],
)
def test_images_it_cannot_take_are_refused(shape, message):
  network = vgg.make_vgg(NARROW)
  with pytest.raises(ValueError, match=message):
    jax.eval_shape(network.init, jax.random.key(0), jnp.zeros(shape))
