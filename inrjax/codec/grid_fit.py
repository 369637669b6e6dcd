"""Makes a codec of grids of a trained network, from training signals."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from inrjax.codec import (
  grid_codec,
  grid_coder,
  grid_network,
  grid_plan,
  grid_spec,
  kinds,
  side_info,
  transform,
)
from inrjax.meta import method as method_lib

# Most blocks that are fitted, and most numbers in the Jacobians of a few.
_MAX_BLOCKS = 4096
_MAX_JACOBIANS = 48
_MAX_DERIVATIVES = 1 << 24
_MAX_POINTS = 2048
# Codes with less variance, in mean squared error, are not worth a symbol.
_ENERGY_FLOOR = 1e-9


def fit_grid_codec(
  spec: grid_spec.GridSpec,
  outer: method_lib.Outer,
  signals: Sequence[kinds.Signal],
  *,
  card: dict[str, Any] | None = None,
  seed: int = 0,
  max_codes: int | None = None,
) -> grid_codec.GridCodec:
  """A codec with transform coding and static tables.

  Args:
    spec: network and inner loop.
    outer: what training learned.
    signals: training signals of the kinds of the specification, with two
      blocks at least.
    card: description that the model file carries.
    seed: of the choice of blocks and points.
    max_codes: most codes per block.

  Returns:
    The codec.

  Raises:
    UnsupportedSignalError: for a signal that is not of the specification's.
    ValueError: for fewer than two blocks, or fits that are not finite.
  """
  network = grid_network.GridNetwork(spec, outer)
  length = network.num_stored
  codec = grid_codec.GridCodec(spec, outer, _blank(length), model_id="0" * 64)
  rng = np.random.default_rng(seed)
  share = -(-_MAX_BLOCKS // max(1, len(signals)))
  fits, coords = [], None
  for signal in map(kinds.checked, signals):
    plan = codec.plan(codec.check_signal(signal), signal.metadata)
    present = side_info.present_of(signal.values, plan.grid)
    blocks, masks = grid_plan.to_blocks(plan, signal.values, present)
    some = np.sort(rng.permutation(len(blocks))[:share])
    fits.append(
      network.fit(
        blocks[some],
        plan.coords,
        present=None if masks is None else masks[some],
      )
    )
    coords = plan.coords
  fast = np.concatenate(fits) if fits else np.zeros((0, length), np.float32)
  if coords is None or len(fast) < 2 or not np.isfinite(fast).all():
    raise ValueError(
      f"A codec needs finite fits of two blocks at least, got {len(fast)} from "
      f"{len(signals)} signals; check that training converged."
    )
  points = coords[np.sort(rng.permutation(len(coords))[:_MAX_POINTS])]
  size = len(points) * codec.channels * length
  count = max(1, min(_MAX_JACOBIANS, _MAX_DERIVATIVES // size))
  chosen = fast[rng.permutation(len(fast))[:count]]
  metric = transform.mean_metric(network.jacobians(chosen, points))
  mapping = transform.fit(
    fast, metric, max_codes=max_codes, energy_floor=_ENERGY_FLOOR
  )
  return grid_codec.GridCodec(
    spec, outer, grid_coder.fit(fast, mapping), card=card
  )


def _blank(length: int) -> grid_coder.GridCoder:
  """A coder that knows nothing, to cut signals with before fitting."""
  mapping = transform.Transform(
    np.zeros(length, np.float32),
    np.eye(length, dtype=np.float32),
    np.eye(length, dtype=np.float32),
    np.ones(length, np.float32),
  )
  return grid_coder.GridCoder(
    mapping,
    np.zeros((1, length), np.uint8),
    grid_coder._family(),
    1.0,
    grid_coder.ROUNDING,
    0.0,
  )
