"""What files of sound, shapes and clips need of `inrjax.data`.

The codec imports none of `inrjax.data`; whoever reads or writes such files
hands that package over, as the command line does.
"""

import os
from typing import Any, Protocol

import numpy as np


class Tools(Protocol):
  """The functions of `inrjax.data` that are used; the package is one of these.

  Each raises a ValueError that names value and remedy, or an ImportError that
  names what to install. Meshes are `data.Mesh`, placed ones `data.Placed`.
  """

  def sound_is_cut_short(self, notes: str) -> bool:
    """Whether libsndfile notes fewer samples than a file declares."""

  def warn_of_sound(
    self, name: str | os.PathLike[str], sound: np.ndarray
  ) -> None:
    """Warns of silence and clipping; `[T, C]` in the levels of int16."""

  def read_mesh(self, path: str | os.PathLike[str]) -> Any:
    """A mesh of a file."""

  def to_unit_cube(self, mesh: Any) -> Any:
    """A mesh in [0, 1]^3, and the way back."""

  def occupancy_grid(self, mesh: Any, *, side: int) -> np.ndarray:
    """`[side, side, side]` bool, true inside."""

  def distance_grid(self, mesh: Any, *, side: int) -> np.ndarray:
    """`[side, side, side]` float32, negative inside."""

  def from_grid(self, values: np.ndarray, *, level: float) -> Any:
    """The mesh around what is below a level."""

  def encode_mesh(self, mesh: Any, suffix: str) -> bytes:
    """A .obj or .ply file."""

  def read_binvox(self, path: str | os.PathLike[str]) -> np.ndarray:
    """`[X, Y, Z]` bool."""

  def read_clip(self, path: str | os.PathLike[str]) -> np.ndarray:
    """`[T, H, W, 3]` uint8."""


def required(tools: Tools | None, what: str) -> Tools:
  """The tools; ValueError if they were not given.

  Args:
    tools: as the caller got them.
    what: needs them, for the message.
  """
  if tools is None:
    raise ValueError(f"{what} need tools=inrjax.data.")
  return tools


def reason(error: Exception, path: str | os.PathLike[str]) -> str:
  """What an error says of a file, its path included."""
  text = str(error)
  name = os.fspath(path)
  return text if name in text else f"{name}: {text}"
