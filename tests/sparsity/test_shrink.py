"""A shrunk network is the masked network, for networks of every kind."""

import functools

import haiku as hk
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies

from inrjax.networks import resnet, unet, vgg
from inrjax.sparsity import graph, masks, shrink
from tests.sparsity import user_networks

# Each network is compiled once and run once.
QUICK = {"xla_backend_optimization_level": 0}
NETWORKS = {
  "resnet": resnet.resnet(resnet.ResNetConfig(3, (1, 1), (4, 6))),
  "bottleneck": resnet.resnet(
    resnet.ResNetConfig(
      3, (2,), (4,), bottleneck=True, stem=resnet.IMAGENET_STEM
    )
  ),
  "vgg": vgg.vgg(
    vgg.VggConfig(
      3, (1, 1), (4, 6), hidden=(8,), pooled_size=2, hidden_norm=True
    )
  ),
  "unet": unet.unet(unet.UNetConfig(2, (4, 6))),
  "mlp": user_networks.mlp,
  "mixed": user_networks.mixed,
  "sequence": user_networks.sequence,
  "haiku_resnet": user_networks.haiku_resnet,
}


@functools.cache
def case(name):
  return user_networks.make(NETWORKS[name])


def random_masks(structure, seed):
  """About half of each group, and at least two."""
  random = np.random.default_rng(seed)
  chosen = {}
  for name, group in structure.groups.items():
    kept = random.uniform(size=group.size) < 0.5
    kept[random.permutation(group.size)[:2]] = True
    chosen[name] = kept
  return chosen


def assert_close(first, second):
  scale = float(np.abs(second).max())
  np.testing.assert_allclose(first, second, rtol=0, atol=3e-6 * scale + 1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_shrunk_is_masked(name):
  # Fails if a position of any parameter or statistic is forgotten, or one of
  # another channel is taken; in both modes of batch norm, from one trace.
  apply, _, params, state, images = case(name)
  structure = graph.trace(apply, params, state, images, True)
  chosen = random_masks(structure, 0)
  if name == "mixed":
    # Layers with part of a group's channels must keep some of them.
    chosen["stem"][[0, 6]] = True
  small = shrink.shrink(apply, params, state, chosen, images, True)

  @functools.partial(jax.jit, compiler_options=QUICK)
  def run(params, small_params, small_state):
    masked = shrink.mask_params(structure, chosen, params)
    return {
      is_training: (
        apply(masked, state, images, is_training),
        small.apply(small_params, small_state, images, is_training),
      )
      for is_training in (True, False)
    }

  results = run(params, small.params, small.state)
  for (expected, moved), (result, small_moved) in results.values():
    assert_close(result, expected)
    # The statistics that stay move in the same way.
    sliced = shrink.shrink(apply, params, moved, chosen, images, True).state
    jax.tree.map(assert_close, small_moved, sliced)
  size = sum(leaf.size for leaf in jax.tree.leaves(params))
  assert sum(leaf.size for leaf in jax.tree.leaves(small.params)) < 0.8 * size


def test_what_is_not_masked_stays_as_it_is():
  apply, _, params, state, images = case("mlp")
  small = shrink.shrink(apply, params, state, {}, images, True)
  for new, old in zip(
    jax.tree.leaves(small.params), jax.tree.leaves(params), strict=True
  ):
    np.testing.assert_array_equal(new, old)


@hypothesis.given(
  strategies.lists(strategies.booleans(), min_size=11, max_size=11)
)
@hypothesis.settings(max_examples=15)
def test_any_mask_of_the_perceptron(bits):
  apply, _, params, state, images = case("mlp")
  chosen = {"one": np.array(bits[:6]), "two": np.array(bits[6:])}
  empty = [name for name, mask in chosen.items() if not mask.any()]
  if empty:
    with pytest.raises(masks.LayerCollapseError, match=empty[0]):
      shrink.shrink(apply, params, state, chosen, images, True)
    return
  small = shrink.shrink(apply, params, state, chosen, images, True)
  assert small.params["two"]["w"].shape == (sum(bits[:6]), sum(bits[6:]))
  np.testing.assert_array_equal(
    small.params["two"]["w"],
    np.asarray(params["two"]["w"])[chosen["one"]][:, chosen["two"]],
  )


def test_a_users_network_in_a_few_lines():
  # The README's promise: scores in, smaller network out, and it trains.
  apply, _, params, state, images = case("sequence")
  structure = graph.trace(apply, params, state, images, True)
  scores = {
    name: np.arange(1.0, group.size + 1)
    for name, group in structure.groups.items()
  }
  kept = masks.layer_top_k(scores, 0.5)
  small = shrink.shrink(apply, params, state, kept, images, True)

  def loss(params):
    return jnp.sum(small.apply(params, small.state, images, True)[0] ** 2)

  grads = jax.jit(jax.grad(loss), compiler_options=QUICK)(small.params)
  assert grads["second"]["w"].shape == (3, 3, 2)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


@pytest.mark.parametrize(
  ("rescale", "factor"),
  [(shrink.fan_out, (5 / 2) ** 0.5), (shrink.fan_in, (6 / 3) ** 0.5)],
)
def test_weights_are_rescaled_by_their_fans(rescale, factor):
  # Fails if the ratio is upside down, or biases are rescaled too.
  apply, _, params, state, images = case("mlp")
  chosen = {
    "one": np.array([1, 0, 1, 0, 1, 0]),
    "two": np.array([0, 1, 0, 1, 0]),
  }
  plain = shrink.shrink(apply, params, state, chosen, images, True)
  scaled = shrink.shrink(
    apply, params, state, chosen, images, True, rescale=rescale
  )
  np.testing.assert_allclose(
    scaled.params["two"]["w"], factor * plain.params["two"]["w"], rtol=1e-6
  )
  np.testing.assert_array_equal(
    scaled.params["two"]["b"], plain.params["two"]["b"]
  )
  last = 1.0 if rescale is shrink.fan_out else (5 / 2) ** 0.5
  np.testing.assert_allclose(
    scaled.params["last"]["w"], last * plain.params["last"]["w"], rtol=1e-6
  )


def test_reinitialised_values_have_the_smaller_networks_fans():
  # Fails if the larger network is initialised and sliced.
  def forward(x, is_training):
    x = hk.Linear(400, name="one")(x)
    return hk.Linear(100, name="last")(x)

  apply, init, params, state, images = user_networks.make(forward, shape=(2, 3))
  chosen = {"one": np.arange(400) < 25}
  small = shrink.shrink(apply, params, state, chosen, images, True)
  new = shrink.reinitialise(init, small, jax.random.key(9), images, True)
  assert new.params["last"]["w"].shape == (25, 100)
  # Haiku truncates at two deviations, which leaves 0.88 of one.
  assert np.std(new.params["last"]["w"]) == pytest.approx(0.88 / 5, rel=0.1)


def fixed_reshape(x, is_training):
  x = hk.Linear(6, name="wide")(x)
  return hk.Linear(2, name="last")(x.reshape(2, 8 * 8 * 6))


def fixed_slice(x, is_training):
  x = hk.Linear(6, name="wide")(x)
  return hk.Linear(2, name="last")(x[..., :3])


class Affine(hk.Module):
  """A layer of the user's own that fixes its width."""

  def __call__(self, x):
    w = hk.get_parameter("w", (x.shape[-1], 6), init=jnp.ones)
    return jnp.dot(x, w)


def own_layer(x, is_training):
  return hk.Linear(2, name="last")(jax.nn.relu(Affine(name="mine")(x)))


@pytest.mark.parametrize("forward", [fixed_reshape, fixed_slice, own_layer])
def test_a_width_in_the_users_code_is_noticed(forward):
  # `fixed_slice` runs at any width, but on other channels than before.
  apply, _, params, state, images = user_networks.make(forward)
  structure = graph.trace(apply, params, state, images, True)
  (name,) = structure.groups
  mask = np.array([False, True, True, True, True, True])
  if forward is fixed_slice:
    # The three that nothing reads are no reason to refuse.
    assert structure.groups[name].size == 6
  with pytest.raises(ValueError, match="fixes a width"):
    shrink.shrink(apply, params, state, {name: mask}, images, True)


@pytest.mark.parametrize(
  ("chosen", "message"),
  [
    ({"three": np.ones(6)}, r"\['three'\].*'one', 'two'"),
    ({"one": np.ones(5)}, "6 channels"),
    ({"one": np.full(6, 0.5)}, "0 and 1"),
    ({"one": np.full(6, np.nan)}, "0 and 1"),
    ({"two": np.zeros(5)}, "two"),
  ],
  ids=["unknown", "size", "scores", "nan", "empty"],
)
def test_bad_masks_are_refused(chosen, message):
  apply, _, params, state, images = case("mlp")
  with pytest.raises(ValueError, match=message):
    shrink.shrink(apply, params, state, chosen, images, True)


def test_a_layer_that_holds_part_of_a_group_does_not_vanish():
  # Of the ten tied channels, the stem makes the first six.
  apply, _, params, state, images = case("mixed")
  with pytest.raises(masks.LayerCollapseError, match="stem"):
    shrink.shrink(
      apply, params, state, {"stem": np.arange(10) >= 6}, images, True
    )
