"""Makes a codec of a trained network: statistics of the training set."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from inrjax.codec import (
  coders,
  context,
  context_fit,
  frequencies,
  image_codec,
  signals,
  tile_network,
  tiling,
  transform,
)
from inrjax.codec import spec as spec_lib
from inrjax.coords import patches
from inrjax.meta import method as method_lib
from inrjax.quantize import uniform

# Step indices at which the context model sees the training images.
_STEP_INDICES = (30, 40, 50, 60)
_NUM_JACOBIANS = 48


def fit_codec(
  spec: spec_lib.ModulatedSpec,
  outer: method_lib.Outer,
  images: Sequence[np.ndarray],
  *,
  card: dict[str, Any] | None = None,
  seed: int = 0,
  max_codes: int | None = None,
  context_steps: int = 1500,
) -> image_codec.ImageCodec:
  """A codec with transform coding and a context model.

  Args:
    spec: network and inner loop.
    outer: what training learned.
    images: `[H, W, C]` training images.
    card: description that the model file carries.
    seed: of the choice of training tiles.
    max_codes: most codes per tile.
    context_steps: optimisation steps of the context model.

  Returns:
    The codec.
  """
  network = tile_network.TileNetwork(spec, outer)
  grids, fast = _fit_images(network, images)
  rng = np.random.default_rng(seed)
  every = np.concatenate(fast)
  chosen = every[rng.permutation(len(every))[:_NUM_JACOBIANS]]
  metric = transform.mean_metric(network.jacobians(chosen))
  mapping = transform.fit(every, metric, max_codes=max_codes)
  plain = coders.TransformCoder(mapping, _blank_context(len(mapping.deviation)))
  shift = uniform.fit_shift(
    plain._quantizer(_STEP_INDICES[1]),
    transform.analyse(mapping, every),
  ).shift
  plain = plain._replace(shift=float(shift))
  # Whole images at one step each where there are many, at all where few.
  coded = []
  for index, (grid, values) in enumerate(zip(grids, fast, strict=True)):
    many = len(images) > 24
    steps = _STEP_INDICES[index % 4 :: 4] if many else _STEP_INDICES
    steps = steps + _STEP_INDICES[(index + 2) % 4 :: 4] if many else steps
    coded += [
      context_fit.CodedImage(plain.quantise(values, grid, t), t) for t in steps
    ]
  model = context_fit.fit(coded, seed=seed, num_steps=context_steps)
  coder = plain._replace(model=model)
  return image_codec.ImageCodec(spec, outer, coder, card=card)


def fit_fixed_width_codec(
  spec: spec_lib.ModulatedSpec,
  outer: method_lib.Outer,
  images: Sequence[np.ndarray],
  *,
  num_bits: int,
  num_deviations: float,
  card: dict[str, Any] | None = None,
) -> image_codec.ImageCodec:
  """A codec as the papers describe it (COIN++ 5.2.3, MSCN D.1).

  Args:
    spec: network and inner loop.
    outer: what training learned.
    images: `[H, W, C]` training images.
    num_bits: bits per modulation.
    num_deviations: clip range omega.
    card: description that the model file carries.
  """
  network = tile_network.TileNetwork(spec, outer)
  _, fast = _fit_images(network, images)
  coder = coders.fit_fixed_width(
    np.concatenate(fast), num_bits=num_bits, num_deviations=num_deviations
  )
  return image_codec.ImageCodec(spec, outer, coder, card=card)


def _fit_images(
  network: tile_network.TileNetwork, images: Sequence[np.ndarray]
) -> tuple[list[tuple[int, int]], list[np.ndarray]]:
  """Grids of tiles and fast parameters of training images."""
  channels = network.spec.network.out_dim
  grids, tiles = [], []
  for image in images:
    unit, _ = signals.to_unit(np.asarray(image), channels)
    grids.append(tiling.tile_grid(unit.shape, network.spec.side))
    tiles.append(patches.to_patches(unit, network.spec.side))
  fast = network.fit(np.concatenate(tiles))
  ends = np.cumsum([len(t) for t in tiles])[:-1]
  return grids, np.split(fast, ends)


def _blank_context(num_codes: int) -> context.ContextModel:
  """A context model that knows nothing, to quantise with before fitting."""
  zeros = lambda *shape: np.zeros(shape, np.int16)  # noqa: E731
  n = num_codes
  return context.ContextModel(
    context.group_ends(n),
    np.zeros((4, n), np.int32),
    np.zeros(n, np.int32),
    zeros(n, n),
    zeros(3, n, n),
    zeros(4, 3, n),
    zeros(4, 3, n),
    frequencies.laplace_tables(np.ones(context.NUM_CLASSES), radius=8),
  )
