"""TransINR: tokens, grouped weights, and the transformer written out."""

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import networks
from inrjax.networks import fourier, nerv, siren, transinr

KEY = jax.random.key(0)
TINY = transinr.TransInrConfig(
  sides=(4, 7),
  patch=(3, 3),
  padding=(1, 1),
  channels=2,
  num_layers=2,
  dim=6,
  num_heads=2,
  head_dim=5,
  feed_forward=7,
  num_groups=2,
)
SIREN = siren.SirenConfig(depth=3, width=4, w0=5.0, out_dim=2)
RNG = np.random.default_rng(0)
VALUES = RNG.uniform(0, 1, (28, 2)).astype(np.float32)
HIDDEN = "__layer_stack_with_per_layer/hidden"


@pytest.fixture(scope="module")
def tiny():
  """Predicts, parameters and base; every parameter is drawn."""
  hypernetwork = networks.make_transinr(TINY, SIREN)
  base = networks.make_siren(SIREN).init(KEY)
  params = jax.eval_shape(hypernetwork.init, KEY, base)
  params = jax.tree.map(
    lambda s: RNG.normal(0, 0.7, s.shape).astype(np.float32), params
  )
  return jax.jit(hypernetwork.apply), params, jax.tree.map(np.asarray, base)


def test_the_papers_sizes():
  # Fails if the padding, or the three columns of the readout, are forgotten.
  config = transinr.paper()
  assert config.num_patches == (20, 20)
  network = siren.SirenConfig(depth=4, width=256)
  base = jax.eval_shape(networks.make_siren(network).init, KEY)
  hypernetwork = networks.make_transinr(config, network)
  params = jax.eval_shape(hypernetwork.init, KEY, base)
  assert params["transinr"]["places"].shape == (400, 768)
  # 64 groups of each of four matrices, and 3 of the readout's.
  assert params["transinr"]["weight_tokens"].shape == (259, 768)
  assert params["transinr/patches"]["w"].shape == (243, 768)
  hidden = params["transinr/layers/hidden"]["w"]
  assert hidden.shape == (6, 768, 3072)
  values = jax.ShapeDtypeStruct((178 * 178, 3), jnp.float32)
  found = jax.eval_shape(hypernetwork.apply, params, base, values)
  assert jax.tree.map(jnp.shape, found) == jax.tree.map(jnp.shape, base)


@pytest.mark.parametrize(
  "config",
  [
    TINY,
    dataclasses.replace(
      TINY, sides=(2, 4, 3), patch=(2, 2, 1), padding=(0, 1, 0)
    ),
  ],
  ids=["image", "clip"],
)
def test_patches_are_a_loop(config):
  shape = config.sides
  signal = RNG.uniform(0, 1, (*shape, 2)).astype(np.float32)
  padded = np.zeros(
    [
      *(s + 2 * p for s, p in zip(shape, config.padding, strict=True)),
      2,
    ]
  )
  inside = [slice(p, p + s) for s, p in zip(shape, config.padding, strict=True)]
  padded[tuple(inside)] = signal
  expected = [
    padded[
      tuple(
        slice(i * p, (i + 1) * p) for i, p in zip(at, config.patch, strict=True)
      )
    ].ravel()
    for at in itertools.product(*map(range, config.num_patches))
  ]
  found = transinr.to_patches(jnp.asarray(signal.reshape(-1, 2)), config)
  # Fails if axes are exchanged, or the padding is on one side.
  np.testing.assert_array_equal(found, np.array(expected, np.float32))


def test_grouped_weights_are_a_loop():
  base = RNG.normal(size=(3, 6)).astype(np.float32)
  vectors = RNG.normal(size=(2, 3)).astype(np.float32)
  expected = np.zeros((3, 6))
  for column in range(6):
    product = base[:, column] * vectors[column // 3]
    length = np.linalg.norm(base[:, column])
    expected[:, column] = product * length / np.linalg.norm(product)
  found = transinr.turned(jnp.asarray(base), jnp.asarray(vectors))
  # Fails if the groups are every other column, or the norm is dropped.
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  # Fails if a group that is turned off has no gradient.
  grads = jax.grad(lambda v: transinr.turned(base, v).sum())(jnp.zeros((2, 3)))
  assert np.isfinite(grads).all()


def test_it_is_the_transformer_written_out(tiny):
  predict, params, base = tiny
  own = {k.removeprefix("transinr/"): v for k, v in params.items()}

  def norm(x, p):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return scaled * p["scale"] + p["offset"]

  def linear(x, p):
    return x @ p["w"] + p.get("b", 0)

  def gelu(x):
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

  h = linear(np.asarray(transinr.to_patches(VALUES, TINY)), own["patches"])
  tokens = own["transinr"]["weight_tokens"]
  h = np.concatenate([h + own["transinr"]["places"], tokens])
  for layer in range(TINY.num_layers):
    at = {
      k.removeprefix("layers/"): {n: x[layer] for n, x in p.items()}
      for k, p in own.items()
      if k.startswith("layers/")
    }
    n = norm(h, at["attention_norm"])
    q, k, v = (
      linear(n, at[f"attention/{name}"]).reshape(len(h), 2, 5)
      for name in ("query", "key", "value")
    )
    heads = []
    for i in range(2):
      scores = np.exp(q[:, i] @ k[:, i].T / math.sqrt(5))
      heads.append(scores / scores.sum(1, keepdims=True) @ v[:, i])
    h = h + linear(np.concatenate(heads, axis=1), at["attention/linear"])
    n = norm(h, at["feed_forward_norm"])
    h = h + linear(gelu(linear(n, at["hidden"])), at["feed_forward"])
  h = h[-len(tokens) :]
  found = predict(params, base, VALUES)
  matrices = [
    (base[HIDDEN]["w"][0], found[HIDDEN]["w"][0]),
    (base[HIDDEN]["w"][1], found[HIDDEN]["w"][1]),
    (base["first"]["w"], found["first"]["w"]),
    (base["~"]["w"], found["~"]["w"]),
  ]
  # In the order of the tree's names, two tokens each.
  order = sorted(base)
  assert order == [HIDDEN, "first", "~"]
  for index, (before, after) in enumerate(matrices):
    outputs = norm(h[2 * index : 2 * index + 2], own[f"head_norm_{index}"])
    vectors = linear(outputs, own[f"head_{index}"])
    # Fails if norms are taken after the parts of a layer, layers share their
    # parameters, or a matrix has the tokens of another.
    np.testing.assert_allclose(
      after, transinr.turned(before, vectors), rtol=1e-3, atol=1e-5
    )
  for module in order:
    # Fails if biases are predicted.
    np.testing.assert_array_equal(found[module]["b"], base[module]["b"])


def test_vectors_of_ones_give_the_base(tiny):
  predict, params, base = tiny
  ones = {
    module: {
      name: (np.ones_like if name == "b" else np.zeros_like)(leaf)
      for name, leaf in leaves.items()
    }
    if "head_" in module and "norm" not in module
    else leaves
    for module, leaves in params.items()
  }
  found = predict(ones, base, VALUES)
  # Fails if a product, or a norm of the base, is missing.
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, base
  )


def test_only_places_tell_one_patch_from_another(tiny):
  _, params, base = tiny
  config = dataclasses.replace(TINY, sides=(6, 9), padding=(0, 0))
  predict = jax.jit(networks.make_transinr(config, SIREN).apply)
  image = RNG.uniform(0, 1, (6, 9, 2)).astype(np.float32)
  moved = image.copy()
  moved[:3, 3:6], moved[3:, :3] = image[3:, :3], image[:3, 3:6]
  own = params["transinr"]
  blind = params | {"transinr": own | {"places": np.zeros_like(own["places"])}}

  def change(params):
    pair = [predict(params, base, x.reshape(54, 2)) for x in (image, moved)]
    return np.abs(pair[0]["first"]["w"] - pair[1]["first"]["w"]).max()

  # Fails if what attention sees depends on the order of the tokens,
  assert change(blind) < 1e-5
  # or if places are not added.
  assert change(params) > 1e-3


def test_a_gradient_reaches_everything(tiny):
  predict, params, base = tiny
  network = networks.make_siren(SIREN)
  points = RNG.uniform(-1, 1, (28, 2)).astype(np.float32)

  @jax.jit
  def gradient(params, base):
    def loss(params, base):
      found = network.apply(predict(params, base, VALUES), points)
      return jnp.mean(jnp.square(found - VALUES))

    return jax.grad(loss, argnums=(0, 1))(params, base)

  for path, leaf in jax.tree_util.tree_leaves_with_path(gradient(params, base)):
    # Fails if a parameter is made and not used.
    assert np.isfinite(leaf).all() and np.abs(leaf).max() > 1e-8, path


def test_networks_of_fourier_features_are_predicted_too():
  network = fourier.FourierConfig(depth=2, width=4, out_dim=2)
  params = networks.make_fourier(network).init(KEY)
  # The frequencies are constant and no part of what is predicted.
  base = {k: dict(v) for k, v in params.items()}
  del base["~"]["frequencies"]
  hypernetwork = networks.make_transinr(TINY, network)
  found = jax.eval_shape(
    lambda key: hypernetwork.apply(
      hypernetwork.init(key, base), base, jnp.asarray(VALUES)
    ),
    KEY,
  )
  assert jax.tree.map(jnp.shape, found) == jax.tree.map(jnp.shape, base)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"patch": (3, 2)}, "do not fit a side of 7"),
    ({"padding": (0, 1)}, "do not fit a side of 4"),
    ({"patch": (3,)}, "one number per axis"),
    ({"padding": (1, -1)}, "padding must be at least 0"),
    ({"num_heads": 0}, "num_heads must be at least 1"),
    ({"sides": (), "patch": (), "padding": ()}, "sides must be at least 1"),
  ],
)
def test_a_shape_that_cannot_be_is_refused(changes, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(TINY, **changes)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"width": 5}, "num_groups must divide the network's width 5"),
    ({"basis_dim": 3}, "num_groups must divide the network's basis_dim 3"),
    ({"in_dim": 3}, "3 coordinates and 2 channels"),
    ({"out_dim": 3}, "2 coordinates and 3 channels"),
    ({"modulate": ("shift",)}, "leave out modulate"),
  ],
)
def test_a_network_that_does_not_fit_is_refused(changes, message):
  with pytest.raises(ValueError, match=message):
    networks.make_transinr(TINY, dataclasses.replace(SIREN, **changes))


def test_other_networks_and_signals_are_refused(tiny):
  with pytest.raises(ValueError, match="got NervConfig"):
    networks.make_transinr(TINY, nerv.small())
  predict, params, base = tiny
  with pytest.raises(ValueError, match=r"made for signals of \(4, 7\)"):
    predict(params, base, VALUES[1:])
