"""Which channels go together, read off networks of every kind."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from inrjax.networks import resnet, unet, vgg
from inrjax.sparsity import cost, graph, shrink, structures
from tests.sparsity import user_networks

IMAGES = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)


def traced(forward, *flags, images=IMAGES, protected=()):
  """The structure of a Haiku function, from shapes alone."""
  net = hk.without_apply_rng(hk.transform_with_state(forward))
  key = jax.random.key(0)
  # Haiku's batch norm has no statistics before the first training call.
  training = (True,) * len(flags)
  params, state = jax.eval_shape(lambda x: net.init(key, x, *training), images)
  found = graph.trace(
    net.apply, params, state, images, *flags, protected=protected
  )
  return found, params


def layers(structure):
  return {name: set(group.layers) for name, group in structure.groups.items()}


def axes(structure, group):
  """{parameter: [(axis, role)]} of all that a group touches."""
  start = structure.groups[group].start
  stop = start + structure.groups[group].size
  found = {}
  for a in structure.axes:
    if np.any((a.entries >= start) & (a.entries < stop)):
      found.setdefault("/".join(a.path), []).append((a.axis, a.role))
  return found


@pytest.mark.parametrize("is_training", [True, False])
def test_residual_connections_tie_layers(is_training):
  # Fails if an addition does not tie, or ties what is not added.
  config = resnet.ResNetConfig(3, (1, 2), (4, 6))
  structure, _ = traced(resnet.resnet(config), is_training)
  assert layers(structure) == {
    "stem_conv": {"stem_conv", "stage_0_block_0_conv_1"},
    "stage_0_block_0_conv_0": {"stage_0_block_0_conv_0"},
    "stage_1_block_0_conv_0": {"stage_1_block_0_conv_0"},
    "stage_1_block_0_conv_1": {
      "stage_1_block_0_conv_1",
      "stage_1_block_0_shortcut",
      "stage_1_block_1_conv_1",
    },
    "stage_1_block_1_conv_0": {"stage_1_block_1_conv_0"},
  }
  assert structure.protected == ("logits",)
  sizes = {name: g.size for name, g in structure.groups.items()}
  assert list(sizes.values()) == [4, 4, 6, 6, 6]
  inputs = {
    name
    for name, found in axes(structure, "stem_conv").items()
    if (2, "input") in found
  }
  assert inputs == {
    "stage_0_block_0_conv_0/w",
    "stage_1_block_0_conv_0/w",
    "stage_1_block_0_shortcut/w",
  }


@pytest.mark.parametrize("is_training", [True, False])
def test_everything_that_a_channel_touches_is_found(is_training):
  # Fails if biases, norms or the statistics of the other mode are forgotten.
  config = vgg.VggConfig(3, (1,), (4,), hidden=(5,), pooled_size=2)
  structure, _ = traced(vgg.vgg(config), is_training)
  assert axes(structure, "block_0_conv_0") == {
    "block_0_conv_0/b": [(0, "other")],
    "block_0_conv_0/w": [(3, "output")],
    "block_0_norm_0/offset": [(3, "other")],
    "block_0_norm_0/scale": [(3, "other")],
    "block_0_norm_0/~/mean_ema/average": [(3, "other")],
    "block_0_norm_0/~/mean_ema/hidden": [(3, "other")],
    "block_0_norm_0/~/var_ema/average": [(3, "other")],
    "block_0_norm_0/~/var_ema/hidden": [(3, "other")],
    "hidden_0/w": [(0, "input")],
  }
  # Flattened pixels first, so that a channel is every fourth input.
  (flat,) = (
    a for a in structure.axes if a.path == ("hidden_0", "w") and not a.axis
  )
  np.testing.assert_array_equal(flat.entries, np.tile(np.arange(4), 4))


def test_concatenation_keeps_channels_apart():
  structure, _ = traced(unet.unet(unet.UNetConfig(2, (4, 6))), True)
  (read,) = (
    a
    for a in structure.axes
    if a.path == ("up_0_conv_0", "w") and a.role == "input"
  )
  skip = structure.groups["down_0_conv_1"].start
  below = structure.groups["up_0_expand"].start
  np.testing.assert_array_equal(
    read.entries, [*range(skip, skip + 4), *range(below, below + 4)]
  )


def test_a_users_network_is_followed():
  # Fails if depthwise outputs, gates, halves or tied parts come apart.
  structure, _ = traced(user_networks.mixed, True)
  assert layers(structure) == {
    # The sum ties the six channels of the stem and the four of the halves with
    # the ten of one layer.
    "stem": {"stem", "excited/excite", "two_halves", "tied"},
    "excited/squeeze": {"excited/squeeze"},
    "head/~/linear_0": {"head/~/linear_0"},
  }
  group = structure.groups["stem"]
  assert group.size == 10

  def entries(path, axis):
    (found,) = (
      a.entries for a in structure.axes if (a.path, a.axis) == (path, axis)
    )
    return found - group.start

  np.testing.assert_array_equal(
    entries(("depthwise", "w"), 3), np.repeat(np.arange(6), 2)
  )
  np.testing.assert_array_equal(
    entries(("two_halves", "b"), 0), [6, 7, 8, 9] * 2
  )
  np.testing.assert_array_equal(
    entries(("~", "scale"), 0), np.repeat(np.arange(10), 16)
  )


def test_what_meets_the_input_or_the_output_is_protected():
  def forward(x):
    y = hk.Conv2D(3, 3, name="residual_of_the_input")(x)
    y = hk.Conv2D(4, 3, name="free")(jax.nn.relu(x + y))
    return hk.Conv2D(5, 3, name="answer")(y), hk.Linear(2, name="other")(y)

  structure, _ = traced(forward)
  assert layers(structure) == {"free": {"free"}}
  assert set(structure.protected) == {
    "residual_of_the_input",
    "answer",
    "other",
  }


def test_layers_are_protected_on_request():
  structure, _ = traced(user_networks.mlp, True, protected=("one",))
  assert list(structure.groups) == ["two"]
  with pytest.raises(ValueError, match=r"\['three'\].*'one', 'two', 'last'"):
    traced(user_networks.mlp, True, protected=("three",))


def attention(x):
  x = hk.Linear(8, name="embed")(x.reshape(x.shape[0], -1, 3))
  x = hk.MultiHeadAttention(2, 4, w_init=jnp.ones, name="attention")(x, x, x)
  return hk.Linear(2, name="last")(x)


def layer_norm(x):
  x = hk.Linear(8, name="wide")(x)
  x = hk.LayerNorm(-1, True, True, name="normalise")(x)
  return hk.Linear(2, name="last")(x)


def stacked(x):
  x = hk.Linear(8, name="wide")(x)
  x, _ = jax.lax.scan(lambda h, _: (jnp.sin(h), None), x, None, length=2)
  return hk.Linear(2, name="last")(x)


def padded(x):
  x = hk.Linear(4, name="wide")(x)
  x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, 2)))
  return hk.Linear(2, name="last")(x)


def grouped(x):
  x = hk.Conv2D(4, 3, name="wide")(x)
  x = hk.Conv2D(4, 3, feature_group_count=2, name="groups")(x)
  return hk.Linear(2, name="last")(x)


def a_loss(x):
  x = hk.Linear(4, name="logits")(x)
  return -jnp.mean(jax.nn.log_softmax(x)[..., 0])


@pytest.mark.parametrize(
  ("forward", "layer", "operation"),
  [
    (layer_norm, "wide", "`reduce_sum` of 'normalise'"),
    (stacked, "wide", "`scan` of the top level"),
    (padded, "wide", "`pad` of the top level"),
    (grouped, "wide", "`conv_general_dilated` of 'groups'"),
    (attention, "attention/query", "`reshape` of 'attention'"),
    (a_loss, "logits", "`reduce_max` of the top level"),
  ],
)
def test_what_cannot_be_followed_is_named(forward, layer, operation):
  # Fails if an operation that mixes channels passes silently.
  with pytest.raises(ValueError) as error:
    traced(forward)
  assert operation in str(error.value)
  assert repr(layer) in str(error.value)


def test_the_remedy_of_the_message_works():
  structure, _ = traced(layer_norm, protected=("wide",))
  assert not structure.groups


def test_a_structure_serves_the_saliencies_and_the_cost_model():
  # Fails if names, sizes or members disagree with `structures.Structure`.
  config = vgg.VggConfig(3, (2,), (4,))
  structure, params = traced(vgg.vgg(config), True)
  params = jax.tree.map(lambda leaf: jnp.ones(leaf.shape), params)
  masks = structure.init(params)
  masks["block_0_conv_0"] = masks["block_0_conv_0"].at[1].set(0.0)
  masked = structures.apply_masks(structure, masks, params)
  w = masked["block_0_conv_0"]["w"]
  assert not w[..., 1].any() and w[..., 0].all()
  assert not masked["block_0_norm_0"]["offset"][..., 1].any()
  # What reads the channel is multiplied only by the role of that name.
  assert masked["block_0_conv_1"]["w"].all()
  assert structure.members(params)["block_0_conv_0"] == (
    "block_0_conv_0/b",
    "block_0_conv_0/w",
    "block_0_norm_0/offset",
    "block_0_norm_0/scale",
  )
  network = vgg.make_vgg(config)
  state = jax.eval_shape(network.init, jax.random.key(0), IMAGES)[1]
  costs = cost.unit_costs(
    lambda p, s, x: network.apply(p, s, x, True),
    params,
    state,
    jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.float32),
    structure=structure,
  )
  # 2 H W C_in K K with zeros at the edges not counted or counted.
  assert costs["block_0_conv_0"] == pytest.approx(2 * 64 * 3 * 9, rel=0.2)


def test_a_gate_on_a_channel_is_a_factor_of_what_reads_it():
  # The derivative by a mask of role "input" is that by a gate on the
  # activation, here behind a nonlinearity: finite differences.
  apply, _, params, state, images = user_networks.make(
    user_networks.mlp, shape=(4, 3)
  )
  structure = graph.trace(apply, params, state, images, True)
  readers = graph.Channels(structure.groups, structure.axes, roles=("input",))

  def loss(masks):
    masked = structures.apply_masks(readers, masks, params)
    return jnp.sum(jnp.sin(apply(masked, state, images, True)[0]))

  masks = readers.init(params)
  grad = jax.jit(jax.grad(loss))(masks)["one"][2]
  h = jax.nn.sigmoid(images @ params["one"]["w"] + params["one"]["b"][None])

  @jax.jit
  def by_hand(c):
    x = h * jnp.ones(6).at[2].set(c)[None]
    x = x @ params["two"]["w"] + params["two"]["b"][None]
    x = jax.nn.softplus(x) + 1.0
    x = x @ params["last"]["w"] + params["last"]["b"][None]
    return jnp.sum(jnp.sin(jax.nn.log_softmax(x)))

  numeric = (by_hand(1.01) - by_hand(0.99)) / 0.02
  assert float(grad) == pytest.approx(float(numeric), rel=1e-2, abs=1e-3)


def flattened(x, is_training):
  """A channel that is every second input of what follows."""
  x = hk.Conv2D(2, 3, name="conv")(x)
  x = jax.nn.sigmoid(hk.BatchNorm(True, True, 0.9, name="norm")(x, is_training))
  x = x.reshape(x.shape[0], -1)
  scale = hk.get_parameter("scale", (x.shape[-1],), init=jnp.ones)
  return hk.Linear(3, name="last")(x * scale[None])


@pytest.mark.parametrize(
  "forward",
  [
    flattened,
    user_networks.sequence,
    user_networks.mixed,
    unet.unet(unet.UNetConfig(2, (4, 6))),
    vgg.vgg(vgg.VggConfig(3, (1, 1), (4, 6), hidden=(8,), pooled_size=2)),
  ],
  ids=["flattened", "sequence", "mixed", "unet", "vgg"],
)
def test_layers_left_with_one_channel(forward):
  # Fails if a lone channel, whose axis bears no label, is taken for none at
  # all: flattened with pixels, or concatenated with other channels.
  apply, _, params, state, images = user_networks.make(forward)
  structure = graph.trace(apply, params, state, images, True)
  chosen = {
    name: np.arange(group.size) == 1 for name, group in structure.groups.items()
  }
  if forward is user_networks.mixed:
    chosen["stem"][7] = True  # Of the halves, which share the stem's group.
  small = shrink.shrink(apply, params, state, chosen, images, True)
  for name in set(structure.groups) - {"stem"}:
    w = small.params[name]["w"]
    assert w.shape[-2 if name.endswith("expand") else -1] == 1
  if forward is not flattened:
    return

  @jax.jit
  def both(params, small_params):
    masked = shrink.mask_params(structure, chosen, params)
    return (
      small.apply(small_params, small.state, images, True)[0],
      apply(masked, state, images, True)[0],
    )

  small_out, masked_out = both(params, small.params)
  np.testing.assert_allclose(small_out, masked_out, rtol=1e-5, atol=1e-5)


def test_a_lone_channel_does_not_hide_a_fixed_width():
  # Fails if nothing is checked where some layer has one channel.
  def forward(x, is_training):
    x = jax.nn.relu(hk.Linear(4, name="narrow")(x))
    x = hk.Linear(6, name="wide")(x)
    return hk.Linear(2, name="last")(x[..., :3])

  apply, _, params, state, images = user_networks.make(forward)
  chosen = {"narrow": np.arange(4) == 1, "wide": np.arange(6) > 0}
  with pytest.raises(ValueError, match="fixes a width"):
    shrink.shrink(apply, params, state, chosen, images, True)
