"""TransINR: a transformer that predicts a network's weights from a signal.

Chen & Wang (2022), "Transformers as meta-learners for implicit neural
representations". The patches of a signal are tokens, beside learned tokens for
the weights. What a transformer makes of the latter are vectors that turn the
columns of learned base weights, a vector for each group of columns; biases are
learned and the same for all signals. Their network has Fourier features and
ReLUs; it is a SIREN where ECoP is compared with it (Tack et al., 2023).
"""

import dataclasses
import itertools
import math
from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp

from inrjax.networks import fourier, siren
from inrjax.networks import network as network_lib
from inrjax.types import Array, PyTree

# Added to squared norms, so that a column of zeros has a gradient.
_TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class TransInrConfig:
  """The shape of a transformer, and of the signals that it reads.

  Attributes:
    sides: of a signal, one per axis.
    channels: C of its values.
    patch: sides of a patch, one per axis; each patch is a token.
    padding: zeros at both ends of each axis, which patches must then fit.
    num_layers: layers of the transformer.
    dim: width of a token.
    num_heads: heads of attention.
    head_dim: width of a head.
    feed_forward: units of a layer's one hidden layer.
    num_groups: columns of a weight matrix that are turned apart; a matrix of
      fewer columns has a group for each.
  """

  sides: tuple[int, ...]
  patch: tuple[int, ...]
  padding: tuple[int, ...]
  channels: int = 3
  num_layers: int = 6
  dim: int = 768
  num_heads: int = 12
  head_dim: int = 64
  feed_forward: int = 3072
  num_groups: int = 64

  def __post_init__(self) -> None:
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      numbers = value if isinstance(value, tuple) else (value,)
      least = 0 if field.name == "padding" else 1
      if not numbers or min(numbers) < least:
        raise ValueError(f"{field.name} must be at least {least}, got {value}.")
    if not len(self.sides) == len(self.patch) == len(self.padding):
      raise ValueError(
        "sides, patch and padding need one number per axis, got "
        f"{self.sides}, {self.patch} and {self.padding}."
      )
    axes = zip(self.sides, self.patch, self.padding, strict=True)
    for side, patch, padding in axes:
      if (side + 2 * padding) % patch:
        raise ValueError(
          f"Patches of {patch} do not fit a side of {side} with {padding} at "
          f"both ends; {side} + 2 padding must be a multiple of {patch}."
        )

  @property
  def num_patches(self) -> tuple[int, ...]:
    """Patches along each axis."""
    axes = zip(self.sides, self.patch, self.padding, strict=True)
    return tuple((side + 2 * pad) // patch for side, patch, pad in axes)


def paper() -> TransInrConfig:
  """Of images of 178 x 178, as published: 20 x 20 patches."""
  return TransInrConfig(sides=(178, 178), patch=(9, 9), padding=(1, 1))


def to_patches(values: Array, config: TransInrConfig) -> Array:
  """The patches of a signal, in row-major order of where they lie.

  Args:
    values: `[N, C]`, the signal in row-major order.
    config: the shapes.

  Returns:
    `[T, M]`: T patches of M values, row-major within a patch and channels last.

  Raises:
    ValueError: if the signal is of another shape.
  """
  expected = (math.prod(config.sides), config.channels)
  if values.shape != expected:
    raise ValueError(
      f"TransINR was made for signals of {config.sides} with "
      f"{config.channels} channels, values {expected}; got {values.shape}."
    )
  grid = values.reshape(*config.sides, config.channels)
  grid = jnp.pad(grid, [*((p, p) for p in config.padding), (0, 0)])
  pairs = zip(config.num_patches, config.patch, strict=True)
  split = grid.reshape(*itertools.chain(*pairs), config.channels)
  axes = len(config.sides)
  order = [*range(0, 2 * axes, 2), *range(1, 2 * axes, 2), 2 * axes]
  return split.transpose(order).reshape(math.prod(config.num_patches), -1)


def turned(base: Array, vectors: Array) -> Array:
  """Columns of the base weights in predicted directions.

  w_j = |b_j| (u_g(j) * b_j) / |u_g(j) * b_j|, the groups g being runs of
  neighbouring columns.

  Differs from the paper: its columns are of unit norm, which suits an MLP of
  ReLUs; in a SIREN the norm of a column is its frequency, and is learned.

  Args:
    base: `[I, O]`, learned.
    vectors: `[G, I]`, one for each group of O / G columns.

  Returns:
    `[I, O]`.
  """
  columns = jnp.repeat(vectors, base.shape[1] // vectors.shape[0], axis=0)
  product = base * columns.T
  return product * (_norms(base) / _norms(product))[None]


def _norms(columns: Array) -> Array:
  """Norms `[O]` of columns `[I, O]`."""
  return jnp.sqrt(jnp.sum(jnp.square(columns), axis=0) + _TINY)


def make_transinr(
  config: TransInrConfig, network: network_lib.Config
) -> network_lib.Hypernetwork:
  """TransINR of a network.

  Args:
    config: the transformer.
    network: the network, a SIREN without modulations or one of Fourier
      features.

  Raises:
    ValueError: if the network is another or of other signals, has modulations,
      or has layers whose columns do not divide into the groups.
  """
  _check(config, network)
  transformed = hk.without_apply_rng(hk.transform(transinr(config)))

  def init(key: Array, fast: PyTree) -> PyTree:
    num_points = math.prod(config.sides)
    return transformed.init(key, fast, jnp.zeros((num_points, config.channels)))

  return network_lib.Hypernetwork(init, transformed.apply)


def _check(config: TransInrConfig, network: network_lib.Config) -> None:
  if not isinstance(network, siren.SirenConfig | fourier.FourierConfig):
    raise ValueError(
      "TransINR predicts the weights of an MLP, of a SIREN or of Fourier "
      f"features; got {type(network).__name__}."
    )
  found = (network.in_dim, network.out_dim)
  if found != (len(config.sides), config.channels):
    raise ValueError(
      f"The network has {found[0]} coordinates and {found[1]} channels; "
      f"TransINR was made for signals of {config.sides} with "
      f"{config.channels}."
    )
  modulate = getattr(network, "modulate", ())
  if modulate:
    raise ValueError(f"TransINR predicts weights; leave out {modulate=}.")
  for name in ("width", "basis_dim", "out_dim"):
    columns = getattr(network, name, None)
    if columns is not None and columns % min(config.num_groups, columns):
      raise ValueError(
        f"num_groups must divide the network's {name} {columns}, or exceed "
        f"it; got {config.num_groups}."
      )


def transinr(
  config: TransInrConfig,
) -> Callable[[PyTree, Array], PyTree]:
  """The forward function, to be passed to `hk.transform`.

  Tokens begin of unit variance and matrices by their fan in.

  Args:
    config: the shapes.

  Returns:
    A function of base parameters, a tree of a network's weights and biases, and
    values `[N, C]` to parameters like the base.
  """

  def forward(fast: PyTree, values: Array) -> PyTree:
    return _TransInr(config, name="transinr")(fast, values)

  return forward


class _TransInr(hk.Module):
  """The transformer, under a name that keeps it apart from the network."""

  def __init__(self, config: TransInrConfig, *, name: str) -> None:
    super().__init__(name=name)
    self._config = config

  def __call__(self, fast: PyTree, values: Array) -> PyTree:
    roles = network_lib.roles(fast)
    weights = {
      (module, name): leaf
      for module, leaves in sorted(fast.items())
      for name, leaf in leaves.items()
      if roles[module][name] == "weight"
    }
    # Of a stack of layers each is a matrix of its own.
    layers = {
      place: leaf.reshape(-1, *leaf.shape[-2:])
      for place, leaf in weights.items()
    }
    turned_layers = iter(
      self._turned(list(itertools.chain(*layers.values())), values)
    )
    found = {module: dict(leaves) for module, leaves in fast.items()}
    for (module, name), stack in layers.items():
      matrices = list(itertools.islice(turned_layers, len(stack)))
      shape = fast[module][name].shape
      found[module][name] = jnp.stack(matrices).reshape(shape)
    return found

  @hk.transparent
  def _turned(self, bases: list[Array], values: Array) -> list[Array]:
    """The weight matrices that the signal asks for."""
    config = self._config
    counts = [min(config.num_groups, base.shape[1]) for base in bases]
    data = hk.Linear(config.dim, name="patches")(to_patches(values, config))
    learned = hk.initializers.RandomNormal()
    place = hk.get_parameter("places", data.shape, data.dtype, learned)
    weight_tokens = hk.get_parameter(
      "weight_tokens", (sum(counts), config.dim), data.dtype, learned
    )
    tokens = jnp.concatenate([data + place, weight_tokens])
    layers = hk.layer_stack(config.num_layers, name="layers")
    tokens = layers(lambda h: _layer(config, h))(tokens)
    found, start = [], len(data)
    for index, (base, count) in enumerate(zip(bases, counts, strict=True)):
      outputs = _norm(tokens[start : start + count], f"head_norm_{index}")
      vectors = hk.Linear(base.shape[0], name=f"head_{index}")(outputs)
      found.append(turned(base, vectors))
      start += count
    return found


def _layer(config: TransInrConfig, tokens: Array) -> Array:
  """A layer of a transformer, normalised before each part: `[T, dim]`."""
  h = _norm(tokens, "attention_norm")
  attention = hk.MultiHeadAttention(
    config.num_heads,
    config.head_dim,
    w_init=hk.initializers.VarianceScaling(),
    with_bias=False,
    model_size=config.dim,
    name="attention",
  )
  tokens = tokens + attention(h, h, h)
  h = _norm(tokens, "feed_forward_norm")
  h = jax.nn.gelu(hk.Linear(config.feed_forward, name="hidden")(h))
  return tokens + hk.Linear(config.dim, name="feed_forward")(h)


def _norm(tokens: Array, name: str) -> Array:
  layer = hk.LayerNorm(-1, create_scale=True, create_offset=True, name=name)
  result: Array = layer(tokens)
  return result
