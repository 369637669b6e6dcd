"""Residual networks: the literature's sizes, and the shortcuts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.networks import blocks, resnet
from tests.networks import values

CIFAR = (32, 32, 3)
IMAGENET = (224, 224, 3)
STEM = resnet.IMAGENET_STEM
NARROW = resnet.ResNetConfig(3, (2, 1), (4, 6))


@pytest.mark.parametrize(
  ("config", "shape", "expected"),
  [
    pytest.param(resnet.resnet20(), CIFAR, 272_474, id="resnet20"),
    pytest.param(resnet.resnet18(), CIFAR, 11_173_962, id="resnet18"),
    pytest.param(resnet.resnet50(), CIFAR, 23_520_842, id="resnet50"),
    # torchvision's.
    pytest.param(
      resnet.resnet18(1000, stem=STEM), IMAGENET, 11_689_512, id="imagenet18"
    ),
    pytest.param(
      resnet.resnet50(1000, stem=STEM), IMAGENET, 25_557_032, id="imagenet50"
    ),
  ],
)
def test_number_of_parameters(config, shape, expected):
  # Fails if a shortcut's convolution, or the norm behind it, is missing.
  assert blocks.num_parameters(resnet.make_resnet(config), shape) == expected


@pytest.mark.parametrize(
  ("stem", "before_mean"), [(resnet.CIFAR_STEM, 4), (STEM, 1)]
)
def test_each_stage_but_the_first_halves_the_image(stem, before_mean):
  # Fails if a stride is missing or the stem's pooling is: seen in the shapes of
  # the traced program.
  network = resnet.make_resnet(dataclasses.replace(NARROW, stem=stem))
  images = jnp.zeros((1, 8, 8, 3))
  params, state = jax.eval_shape(network.init, jax.random.key(0), images)
  program = jax.make_jaxpr(lambda p, s, x: network.apply(p, s, x, True))(
    params, state, images
  )
  convs = [
    e for e in program.eqns if e.primitive.name == "conv_general_dilated"
  ]
  assert convs[-1].outvars[0].aval.shape == (1, before_mean, before_mean, 6)


def test_a_silent_branch_leaves_the_shortcut():
  # With all norms of the branches at zero scale, the blocks without projection
  # are the identity on what the stem's relu lets through.
  config = resnet.ResNetConfig(3, (2,), (4,))
  network = resnet.make_resnet(config)
  images = values.normal(2, 8, 8, 3)
  params, state = values.filled(network, images)
  for i in range(2):
    name = f"stage_0_block_{i}_norm_1"
    params[name] = jax.tree.map(jnp.zeros_like, params[name])
  apply = jax.jit(network.apply, static_argnums=3)
  logits, _ = apply(params, state, images, True)

  stem = jax.lax.conv_general_dilated(
    images,
    params["stem_conv"]["w"],
    (1, 1),
    ((1, 1), (1, 1)),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )
  mean, var = stem.mean((0, 1, 2), keepdims=True), stem.var((0, 1, 2))
  features = jax.nn.relu((stem - mean) / jnp.sqrt(var[None, None, None] + 1e-5))
  layer = params["logits"]
  expected = features.mean((1, 2)) @ layer["w"] + layer["b"][None]
  np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize(
  ("make", "message"),
  [
    pytest.param(
      lambda: dataclasses.replace(NARROW, widths=(4,)), "2 and 1", id="lengths"
    ),
    pytest.param(
      lambda: dataclasses.replace(NARROW, num_blocks=(1, 0)),
      "num_blocks",
      id="no block",
    ),
    pytest.param(lambda: resnet.Stem(4, 1, False), "odd", id="even kernel"),
    pytest.param(lambda: resnet.Stem(3, 0, False), "stride", id="no stride"),
  ],
)
def test_impossible_shapes_are_refused(make, message):
  with pytest.raises(ValueError, match=message):
    make()
