"""What the record of a grid codec holds, read without floating point.

codec header   the setting t in seven bits; with the eighth bit set, eight more
               bytes are the largest error, an IEEE float64
side           metadata and mask, see `side_info`
payload        one string of the range coder: of each dimension of the codes
               the symbols of all blocks, then the corrections, if any
"""

import math
import struct
from typing import NamedTuple

import numpy as np

from inrjax.codec import (
  container,
  entropy,
  errors,
  grid_coder,
  grid_plan,
  grid_spec,
  residuals,
  side_info,
)

# Bit of the codec header that says that a largest error follows.
_BOUNDED = 0x80


class Content(NamedTuple):
  """What a record holds.

  Attributes:
    plan: how its signal is cut.
    info: metadata and mask.
    t: the setting.
    symbols: `[n, L']`.
    corrections: `[values present]`, or None.
    limits: how these are quantised, or None.
  """

  plan: grid_plan.Plan
  info: side_info.SideInfo
  t: int
  symbols: np.ndarray
  corrections: np.ndarray | None
  limits: residuals.Bound | None


def header(t: int, max_error: float | None) -> bytes:
  """The codec header.

  Args:
    t: the setting, below 128.
    max_error: the bound that corrections keep, or None.
  """
  if max_error is None:
    return bytes([t])
  return bytes([t | _BOUNDED]) + struct.pack(">d", max_error)


def limits(plan: grid_plan.Plan, max_error: float) -> residuals.Bound:
  """How corrections of a signal are quantised.

  Args:
    plan: of the signal.
    max_error: the bound to keep.

  Raises:
    UnsupportedSignalError: for a bound that cannot be kept.
  """
  # Predictions are as exact as the wider of both ranges lets them be.
  ends = (*plan.interval, *plan.spec.interval)
  return residuals.bound(max_error, plan.spec.dtype, (min(ends), max(ends)))


def read(
  record: container.SignalRecord,
  model: grid_spec.GridSpec,
  coder: grid_coder.GridCoder,
) -> Content:
  """Reads a record.

  Args:
    record: of a file of this model.
    model: what the model codes.
    coder: its coder.

  Returns:
    The content.

  Raises:
    CorruptBitstreamError: if the model cannot have written it.
  """
  t, max_error = _parsed_header(record.header, coder.num_settings)
  spec = record.spec
  grid = grid_plan.arranged(model, spec.shape)
  if grid is None:
    raise errors.CorruptBitstreamError(
      f"The stream declares a shape {spec.shape}, which this model cannot have "
      "written."
    )
  info = side_info.read(record.side, math.prod(grid.lead), grid.grid)
  if info.present is not None and not spec.dtype.startswith("float"):
    raise errors.CorruptBitstreamError(
      f"The stream declares missing values of type {spec.dtype}."
    )
  bound = None
  try:
    plan = grid_plan.make_plan(
      model, spec, info.metadata, num_codes=coder.num_codes
    )
    if max_error is not None:
      bound = limits(plan, max_error)
  except errors.UnsupportedSignalError as error:
    raise errors.CorruptBitstreamError(
      f"The stream holds what this model cannot have written: {error}"
    ) from error
  stream = entropy.Decoder(record.payload)
  symbols = coder.read(stream, plan.num_blocks, t)
  corrections = None
  if bound is not None:
    count = int(np.count_nonzero(grid_plan.places(plan, info.present)))
    corrections = residuals.read(stream, count, coder.tables)
  stream.finish()
  return Content(plan, info, t, symbols, corrections, bound)


def _parsed_header(data: bytes, num_settings: int) -> tuple[int, float | None]:
  """Setting and largest error."""
  t = data[0] & ~_BOUNDED if data else num_settings
  bounded = bool(data) and bool(data[0] & _BOUNDED)
  if t >= num_settings or len(data) != (9 if bounded else 1):
    raise errors.CorruptBitstreamError(
      f"The stream's codec header {data.hex()!r} is not one this model writes."
    )
  return t, struct.unpack(">d", data[1:])[0] if bounded else None
