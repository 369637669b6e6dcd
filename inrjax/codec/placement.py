"""Where a cube of cells lies in the space of its file."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import errors

_NAME = "placement"


class Placement(NamedTuple):
  """How places of the file become places of the cube [0, 1]^3.

  Attributes:
    scale: above 0; cube = scale * place + offset.
    offset: `[3]`.
  """

  scale: float
  offset: np.ndarray


def metadata(scale: float, offset: Sequence[float] | np.ndarray) -> Any:
  """JSON values for a signal's metadata, to twelve digits."""
  numbers = [float(f"{x:.12g}") + 0.0 for x in (scale, *offset)]
  if numbers == [1.0, 0.0, 0.0, 0.0]:
    return {}
  return {_NAME: {"scale": numbers[0], "offset": numbers[1:]}}


def of(values: Mapping[str, Any]) -> Placement:
  """What `metadata` gave; the cube itself if there is nothing.

  Raises:
    CorruptBitstreamError: if it is something else.
  """
  found = values.get(_NAME)
  if found is None:
    return Placement(1.0, np.zeros(3))
  try:
    scale = float(found["scale"])
    offset = np.array([float(x) for x in found["offset"]])
    inverse = 1 / scale
    if (
      offset.shape != (3,)
      or not (0 < scale < math.inf and inverse < math.inf)
      or not np.isfinite(offset * inverse).all()
    ):
      raise ValueError(f"scale {scale}, offset {offset}")
  except (
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    ZeroDivisionError,
  ) as error:
    raise errors.CorruptBitstreamError(
      f"The metadata place the grid nowhere ({error!r}): the file is damaged."
    ) from error
  return Placement(scale, offset)
