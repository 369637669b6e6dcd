"""Clips as functions of time alone, whose points are whole frames (NeRV)."""

import dataclasses
from typing import ClassVar

import numpy as np

from inrjax.coords import grid
from inrjax.networks import nerv


@dataclasses.dataclass(frozen=True)
class FrameSpec:
  """What clips are to a network of frames.

  It answers what `grid_spec.GridSpec` does where places are the points; there
  is no codec of it.

  Attributes:
    network: the network.
    sides: frames, height and width of a clip.
    kinds: of the signals it serves.
    low: start of the range of times.
    high: its end.
    value_range: the values that become 0 and 1.
  """

  network: nerv.NervConfig
  sides: tuple[int, int, int]
  kinds: tuple[str, ...] = ("video",)
  low: float = -1.0
  high: float = 1.0
  value_range: tuple[float, float] = (0.0, 255.0)

  on_sphere: ClassVar[bool] = False

  def __post_init__(self) -> None:
    """Checks the fields; raises ValueError."""
    if tuple(self.kinds) != ("video",):
      raise ValueError(f"Only clips have frames; signal.kinds is {self.kinds}.")
    height, width, _ = self.network.frame_shape()
    if len(self.sides) != 3 or tuple(self.sides[1:]) != (height, width):
      raise ValueError(
        f"The network makes frames of {height} x {width}, and signal.sides is "
        f"{self.sides}: frames, height and width. Change network.strides or "
        "network.stem_size."
      )
    if not self.value_range[0] < self.value_range[1]:
      raise ValueError(f"value_range must rise: {self.value_range}.")

  def coords(self) -> np.ndarray:
    """Times `[T, 1]` of the frames."""
    return grid.grid(self.sides[:1], low=self.low, high=self.high)
