"""NeRV: shapes, blocks, and learning on frames."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax import meta
from inrjax.adapt import links
from inrjax.coords import select, video
from inrjax.networks import nerv
from inrjax.networks import network as network_lib

KEY = jax.random.key(0)
TINY = nerv.NervConfig(
  strides=(2, 2),
  stem_size=(2, 3),
  stem_channels=4,
  stem_width=6,
  expansion=2,
  min_channels=3,
  num_frequencies=5,
)


@pytest.fixture(scope="module")
def tiny():
  network = network_lib.make_nerv(TINY)
  network = network._replace(
    apply=jax.jit(network.apply), features=jax.jit(network.features)
  )
  return network, jax.jit(network.init)(KEY)


@pytest.mark.parametrize(
  ("config", "side", "blocks"),
  [(nerv.small(), 128, 4), (nerv.large(), 256, 5)],
  ids=["small", "large"],
)
def test_the_papers_sizes(config, side, blocks):
  # Fails if a block enlarges by another factor, or channels are not halved.
  network = network_lib.make_nerv(config)
  params = jax.eval_shape(network.init, KEY)
  coords = jax.ShapeDtypeStruct((3, 1), jnp.float32)
  values = jax.eval_shape(network.apply, params, coords)
  assert values.shape == (3, side * side * 3)
  assert config.frame_shape() == (side, side, 3)
  assert sum(name.startswith("block_") for name in params) == blocks
  assert config.block_channels()[:4] == (128, 64, 32, 32)
  roles = set(jax.tree.leaves(network.roles(params)))
  assert roles == {"weight", "bias"}


def test_pixel_shuffle_is_a_loop():
  x = np.arange(2 * 2 * 3 * 8, dtype=np.float32).reshape(2, 2, 3, 8)
  found = np.asarray(nerv.pixel_shuffle(jnp.asarray(x), 2))
  assert found.shape == (2, 4, 6, 2)
  for t, i, j, c in np.ndindex(found.shape):
    channel = (i % 2) * 4 + (j % 2) * 2 + c
    assert found[t, i, j, c] == x[t, i // 2, j // 2, channel]


def test_time_embedding_is_equation_1():
  times = np.array([0.0, 0.3, 1.0])
  found = nerv.time_embedding(
    jnp.asarray(times, jnp.float32), num_frequencies=4, frequency_base=1.25
  )
  phases = np.pi * times[:, None] * 1.25 ** np.arange(4)
  expected = np.concatenate([np.sin(phases), np.cos(phases)], axis=1)
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_frames_do_not_depend_on_each_other(tiny):
  # Fails if something is normalised over frames: then points in tiles, or a
  # selection of them, would give other values.
  network, params = tiny
  coords = jnp.linspace(-0.9, 0.9, 5)[:, None]
  together = network.apply(params, coords)
  assert together.shape == (5, 8 * 12 * 3)
  assert together.min() > 0 and together.max() < 1
  alone = [network.apply(params, coords[i : i + 1])[0] for i in (0, 3)]
  np.testing.assert_allclose(together[jnp.array([0, 3])], alone, atol=1e-6)
  assert np.abs(together[0] - together[1]).max() > 1e-4


def test_values_are_the_last_layer_of_the_features(tiny):
  # Fails if features are not what `gradient_norm` takes them for.
  network, params = tiny
  coords = jnp.linspace(-0.9, 0.9, 3)[:, None]
  features = network.features(params, coords)
  assert features.shape == (3, 8 * 12, TINY.block_channels()[-1])
  head = params["head"]
  linear = features @ head["w"] + head["b"].reshape(1, 1, -1)
  expected = (1 + jnp.tanh(linear)) / 2
  values = network.apply(params, coords)
  np.testing.assert_allclose(values, expected.reshape(3, -1), atol=1e-6)
  np.testing.assert_allclose(
    nerv.output_slope(values).reshape(linear.shape),
    (1 - jnp.tanh(linear) ** 2) / 2,
    atol=1e-5,
  )


def test_the_initial_weights_are_uniform(tiny):
  _, params = tiny
  for name, fan_in in {"stem": 6, "block_0": 36, "block_1": 72}.items():
    w, bound = params[name]["w"], 1 / np.sqrt(fan_in)
    assert np.abs(w).max() <= bound
    np.testing.assert_allclose(np.std(w), bound / np.sqrt(3), rtol=0.1)
  assert np.any(params["head"]["b"])


def ecop(select_of):
  """Gradient of one outer step of MAML over selected frames."""
  one_block = dataclasses.replace(TINY, strides=(2,), stem_size=(4, 6))
  network = network_lib.make_nerv(one_block)
  method = meta.Method(
    network=network,
    fast_roles=("weight", "bias"),
    link=links.sgd(0.1),
    num_steps=2,
    start=meta.learned_start,
  )
  method = dataclasses.replace(method, select=select_of(method))
  clips = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 12, 3), np.uint8)
  objective = meta.post_adaptation(
    method, video.frame_context(6, 8, 12), task_tile=1
  )

  @jax.jit
  def outer(params):
    return jax.grad(lambda p: objective(KEY, p, (), jnp.asarray(clips))[0])(
      params
    )

  return outer(jax.jit(method.init)(KEY))


def top_error(method):
  return select.top_error(method.apply, 0.5, tile=2)


def top_gradient_norm(method):
  def features(shared, fast, coords):
    params = method.partition.join(shared, fast)
    return method.network.features(params, coords)

  return select.top_gradient_norm(
    method.apply, features, 0.5, output_slope=nerv.output_slope
  )


@pytest.mark.parametrize("select_of", [top_error, top_gradient_norm])
def test_selected_frames_train_a_start(select_of):
  # NeRV is a network like any other, whole frames its points. Fails if second
  # derivatives stop somewhere, or a score does not fit frames.
  grads = ecop(select_of)
  for leaf in jax.tree.leaves(grads.fast):
    assert np.any(leaf) and np.isfinite(leaf).all()


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"strides": ()}, "strides is empty"),
    ({"strides": (2, 0)}, r"strides\[1\] must be at least 1"),
    ({"stem_channels": 0}, "stem_channels must be at least 1"),
    ({"frequency_base": 1.0}, "frequency_base must be finite and above 1"),
  ],
)
def test_impossible_shapes_are_refused(change, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(TINY, **change)


def test_contexts_of_voxels_and_frames_hold_the_same_values():
  # Fails if an axis is transposed.
  clip = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
  voxels = video.voxel_context(3, 4, 5)(jnp.asarray(clip))
  frames = video.frame_context(3, 4, 5)(jnp.asarray(clip))
  assert voxels.coords.shape == (60, 3) and frames.coords.shape == (3, 1)
  np.testing.assert_allclose(
    voxels.values.reshape(3, -1), frames.values, rtol=1e-6
  )
  t, y, x = 2, 1, 4
  point = np.ravel_multi_index((t, y, x), (3, 4, 5))
  np.testing.assert_allclose(voxels.values[point], clip[t, y, x] / 255, 1e-6)
  centres = [(2 * i + 1) / n - 1 for i, n in zip((t, y, x), (3, 4, 5))]  # noqa: B905
  np.testing.assert_allclose(voxels.coords[point], centres, rtol=1e-6)
  np.testing.assert_allclose(frames.coords[:, 0], [-2 / 3, 0, 2 / 3], atol=1e-6)
  for make in (video.voxel_context, video.frame_context):
    with pytest.raises(ValueError, match="made for 3x4x6"):
      make(3, 4, 6)(jnp.asarray(clip))


def test_both_forms_of_a_convolution_agree():
  # Fails if patches lie in another order than the kernel, or wrap around.
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(2, 4, 5, 3)), jnp.float32)
  w = jnp.asarray(rng.normal(size=(3, 3, 3, 2)), jnp.float32)
  found = nerv.product_of_patches(x, w)
  np.testing.assert_allclose(found, nerv.convolution(x, w), atol=1e-5)
  padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  for t, i, j, c in [(0, 0, 0, 0), (1, 3, 4, 1), (1, 2, 0, 1)]:
    expected = (padded[t, i : i + 3, j : j + 3] * w[..., c]).sum()
    np.testing.assert_allclose(found[t, i, j, c], expected, atol=1e-5)
