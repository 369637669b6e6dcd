"""How a signal is cut into the blocks of a model, and put together again."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import (
  container,
  errors,
  files_field,
  grid_spec,
  kinds,
)
from inrjax.coords import grid as grid_lib
from inrjax.coords import patches_nd, sphere

# Of a signal; a quarter of a gigabyte.
_MAX_SYMBOLS = 1 << 26


class Plan(NamedTuple):
  """How an array is cut, and where its points lie.

  Attributes:
    spec: what the array is.
    grid: its axes.
    sides: of a block; None for whole fields.
    num_blocks: n, of the whole array.
    coords: `[N, D]` of a block.
    interval: the values that become 0 and 1.
  """

  spec: container.SignalSpec
  grid: kinds.Grid
  sides: tuple[int, ...] | None
  num_blocks: int
  coords: np.ndarray
  interval: tuple[float, float]

  @property
  def shape(self) -> tuple[int, ...]:
    """`[signals, D1, ..., Dk, C]`."""
    grid = self.grid
    return (math.prod(grid.lead), *grid.grid, grid.channels)

  @property
  def num_places(self) -> int:
    """Samples, pixels or voxels, whatever their channels."""
    return math.prod(self.shape[:-1])


def make_plan(
  model: grid_spec.GridSpec,
  spec: container.SignalSpec,
  metadata: Mapping[str, Any],
  *,
  num_codes: int,
) -> Plan:
  """The plan of a signal.

  Args:
    model: whose blocks they are.
    spec: of the signal.
    metadata: of its file, where the sphere's coordinates are.
    num_codes: L', symbols of a block.

  Returns:
    The plan.

  Raises:
    UnsupportedSignalError: if the signal is none of the model's, or has too
      many blocks.
  """
  grid = arranged(model, spec.shape)
  if grid is None or spec.kind not in model.kinds:
    raise errors.UnsupportedSignalError(
      f"A signal of kind {spec.kind} and shape {spec.shape}, and the model "
      f"codes {', '.join(model.kinds)} of {model.num_axes} axes and "
      f"{model.network.out_dim} channel(s)."
    )
  num_blocks = math.prod(grid.lead)
  size = math.prod(model.sides or grid.grid)
  if model.sides is not None:
    num_blocks *= math.prod(patches_nd.block_counts(grid.grid, model.sides))
  num_values = num_blocks * size * grid.channels
  if (
    num_values > container.DEFAULT_MAX_VALUES
    or num_blocks * num_codes > _MAX_SYMBOLS
  ):
    raise errors.UnsupportedSignalError(
      f"The {num_blocks} blocks of a signal of shape {spec.shape} are more than"
      " a file may hold: cut it into several."
    )
  interval = model.value_range or spec.interval
  coords = _coords(model, grid, metadata)
  return Plan(spec, grid, model.sides, num_blocks, coords, interval)


def arranged(
  model: grid_spec.GridSpec, shape: Sequence[int]
) -> kinds.Grid | None:
  """The axes of an array as a model takes them, or None if it does not."""
  return kinds.arrange(
    shape, num_axes=model.num_axes, channels=model.network.out_dim
  )


def to_blocks(
  plan: Plan, values: np.ndarray, present: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
  """A signal's blocks.

  Args:
    plan: how it is cut.
    values: in its own unit.
    present: `[signals or 1, *grid]`, true where there is a value, or None.

  Returns:
    `[n, N, C]` float32 near [0, 1], 0 where a value is missing, and the mask
    `[n, N]`, or None.
  """
  low, high = plan.interval
  scaled = (values.reshape(plan.shape).astype(np.float64) - low) / (high - low)
  unit = scaled.astype(np.float32)
  if present is None:
    return _cut(plan, unit), None
  masks = np.broadcast_to(present, plan.shape[:-1])[..., np.newaxis]
  unit = np.where(masks, unit, np.float32(0))
  return _cut(plan, unit), _cut(plan, masks)[..., 0]


def from_blocks(plan: Plan, blocks: np.ndarray) -> np.ndarray:
  """The signal of blocks.

  Args:
    plan: how it was cut.
    blocks: `[n, N, C]` near [0, 1].

  Returns:
    `[signals, *grid, C]` float64 in the signal's unit, within its range.
  """
  unit = blocks.astype(np.float64)
  if plan.sides is not None:
    per_signal = plan.num_blocks // plan.shape[0]
    parts = unit.reshape(-1, per_signal, *plan.sides, plan.grid.channels)
    unit = np.stack([patches_nd.from_blocks(p, plan.grid.grid) for p in parts])
  low, high = plan.interval
  values = low + (high - low) * unit.reshape(plan.shape)
  clipped: np.ndarray = np.clip(values, *plan.spec.interval)
  return clipped


def places(plan: Plan, present: np.ndarray | None) -> np.ndarray:
  """`[signals, *grid, C]` bool, true where there is a value."""
  if present is None:
    return np.ones(plan.shape, bool)
  return np.broadcast_to(present[..., np.newaxis], plan.shape)


def typed(plan: Plan, values: np.ndarray) -> np.ndarray:
  """float64 values in the range and of the type of those that went in."""
  dtype = np.dtype(plan.spec.dtype)
  values = np.clip(values, *plan.spec.interval)
  if dtype.kind == "f":
    return values.astype(dtype)
  limits = np.iinfo(dtype)
  return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


def _coords(
  model: grid_spec.GridSpec, grid: kinds.Grid, metadata: Mapping[str, Any]
) -> np.ndarray:
  if model.sides is not None:
    return grid_lib.grid(model.sides, low=model.low, high=model.high)
  try:
    height, width = grid.grid
    axes = files_field.degrees(metadata, (height, width))
    return sphere.unit_vectors(*axes).reshape(-1, 3)
  except (LookupError, TypeError, ValueError) as error:
    raise errors.UnsupportedSignalError(
      f"The field's latitudes and longitudes cannot be used: {error}"
    ) from error


def _cut(plan: Plan, values: np.ndarray) -> np.ndarray:
  """`[n, N, C]` of `[signals, *grid, C]`."""
  channels = values.shape[-1]
  if plan.sides is None:
    return values.reshape(plan.num_blocks, -1, channels)
  parts = [patches_nd.to_blocks(each, plan.sides) for each in values]
  return np.concatenate(parts).reshape(plan.num_blocks, -1, channels)
