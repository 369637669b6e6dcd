"""The mean-scale hyperprior: sizes of table 3, shapes, and its upsampling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.networks import hyperprior

TINY = hyperprior.HyperpriorConfig(6, 5, 4)


def _counts(config):
  network = hyperprior.make_hyperprior(config)
  shapes = jax.eval_shape(network.init, jax.random.key(0))
  return {k: hyperprior.num_parameters(tree) for k, tree in shapes.items()}


@pytest.mark.parametrize(
  ("config", "expected"),
  [
    (hyperprior.low_rate(), (2.89, 1.04, 1.26, 2.89)),
    (hyperprior.high_rate(), (8.01, 2.40, 2.95, 8.01)),
  ],
  ids=["low", "high"],
)
def test_table_3(config, expected):
  # Fails if a layer, a width, a kernel or a normalisation is another.
  names = ("analysis", "hyper_analysis", "hyper_synthesis", "synthesis")
  counts = _counts(config)
  assert tuple(round(counts[name] / 1e6, 2) for name in names) == expected


def test_small_size_fits_three_megabytes():
  assert sum(_counts(hyperprior.small()).values()) * 4 < 3_000_000


@pytest.fixture(scope="module")
def tiny():
  network = hyperprior.make_hyperprior(TINY)
  return network, jax.jit(network.init)(jax.random.key(0))


def test_shapes(tiny):
  network, params = tiny

  def all_parts(x):
    x = hyperprior.pad(x)
    y = network.analysis.apply(params["analysis"], x)
    z = network.hyper_analysis.apply(params["hyper_analysis"], y)
    moments = network.hyper_synthesis.apply(params["hyper_synthesis"], z)
    again = network.synthesis.apply(params["synthesis"], y)
    return y, z, moments, hyperprior.crop(again, 65, 130)

  y, z, moments, again = jax.eval_shape(all_parts, jnp.zeros((2, 65, 130, 3)))
  assert y.shape == (2, 8, 12, 5)
  assert z.shape == (2, 2, 3, 4)
  assert moments.shape == (2, 8, 12, 10)
  assert again.shape == (2, 65, 130, 3)


def test_variance_survives_the_start(tiny):
  # Fails if an initialisation lets signals die or explode from layer to layer.
  network, params = tiny

  @jax.jit
  def deviations(params, x):
    y = network.analysis.apply(params["analysis"], x)
    z = network.hyper_analysis.apply(params["hyper_analysis"], y)
    parts = (
      y,
      z,
      network.synthesis.apply(params["synthesis"], y),
      network.hyper_synthesis.apply(params["hyper_synthesis"], z / jnp.std(z)),
    )
    return [jnp.std(values) for values in parts]

  x = jax.random.normal(jax.random.key(1), (1, 128, 128, 3))
  for deviation in deviations(params, x):
    assert 0.05 < deviation < 10


def test_upsampling_is_the_transposed_convolution():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(1, 3, 4, 2)).astype(np.float32)
  w = rng.normal(size=(5, 5, 2, 3)).astype(np.float32)
  phases = jax.lax.conv_general_dilated(
    x,
    hyperprior.phase_kernels(jnp.asarray(w)),
    (1, 1),
    ((1, 1), (1, 1)),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )
  expected = jax.lax.conv_transpose(
    x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
  )
  # Fails if a tap goes to another phase or the phases to other places.
  for row in range(2):
    for column in range(2):
      first = 3 * (2 * row + column)
      np.testing.assert_allclose(
        phases[..., first : first + 3],
        expected[:, row::2, column::2],
        rtol=1e-4,
        atol=1e-5,
      )


def test_synthesis_puts_the_phases_where_they_belong():
  network = hyperprior.make_hyperprior(hyperprior.HyperpriorConfig(1, 1, 1))
  rng = np.random.default_rng(4)
  params = jax.tree.map(
    lambda leaf: rng.normal(size=leaf.shape).astype(np.float32),
    jax.eval_shape(network.hyper_synthesis.init, jax.random.key(2)),
  )
  dimensions = ("NHWC", "HWIO", "NHWC")

  def dilated(params, x):
    for i in range(2):
      layer = params[f"conv_{i}"]
      x = jax.lax.conv_transpose(
        x, layer["w"], (2, 2), "SAME", dimension_numbers=dimensions
      )
      x = jax.nn.relu(x + layer["b"].reshape(1, 1, 1, -1))
    layer = params["conv_2"]
    x = jax.lax.conv_general_dilated(
      x, layer["w"], (1, 1), "SAME", dimension_numbers=dimensions
    )
    return x + layer["b"].reshape(1, 1, 1, -1)

  z = rng.normal(size=(1, 2, 3, 1)).astype(np.float32)
  # Fails if rows and columns are interleaved in another order, or a bias is
  # added to a phase alone.
  np.testing.assert_allclose(
    jax.jit(network.hyper_synthesis.apply)(params, z),
    jax.jit(dilated)(params, z),
    rtol=1e-4,
    atol=1e-5,
  )


def test_padding_repeats_the_edge_and_cropping_undoes_it():
  x = jnp.arange(2 * 3 * 65.0).reshape(1, 6, 65, 1)
  padded = hyperprior.pad(x)
  assert padded.shape == (1, 64, 128, 1)
  assert hyperprior.padded_size(64, 128) == (64, 128)
  np.testing.assert_array_equal(padded[0, 20, 100], x[0, -1, -1])
  np.testing.assert_array_equal(hyperprior.crop(padded, 6, 65), x)
  with pytest.raises(ValueError, match="cropped to 65 x 1"):
    hyperprior.crop(padded, 65, 1)


def test_inputs_it_cannot_take_are_refused(tiny):
  network, params = tiny
  with pytest.raises(ValueError, match="use pad"):
    network.analysis.apply(params["analysis"], jnp.zeros((1, 24, 16, 3)))
  with pytest.raises(ValueError, match="takes 3 channels, got 1"):
    network.analysis.apply(params["analysis"], jnp.zeros((1, 16, 16, 1)))
  with pytest.raises(ValueError, match="width"):
    hyperprior.HyperpriorConfig(width=0)
