"""Folders of .npz files with one field on the globe each.

So Dupont et al. (2021b) give away the 46 x 90 ERA5 temperatures that COIN++ was
trained on: folders `train`, `val` and `test` of archives with `latitude`,
`longitude` and `temperature`.
"""

import os
import pathlib

import numpy as np

from inrjax.data import images, listing, substitution

# Kelvin; the range of that training set, to which Functa and COIN++ scale.
ERA5_RANGE = (202.66, 320.93)


class GlobeError(ValueError):
  """An archive that holds no field this package can use."""


class UnreadableGlobeWarning(UserWarning):
  """An archive among many could not be used and is left out."""


class GlobeFolder(substitution.SubstitutingFiles):
  """Every field below a folder, in sorted order, all on one grid.

  One that cannot be used is found when it is first read: its place is then
  taken by the next one that can, with one `UnreadableGlobeWarning`.

  Attributes:
    latitudes: `[H]` float64 degrees, of the first readable file.
    longitudes: `[W]` float64 degrees east.
  """

  ERROR = GlobeError
  WARNING = UnreadableGlobeWarning
  WHAT = "fields"

  def __init__(self, root: str | os.PathLike[str], *, key: str = "temperature"):
    """Lists a folder and reads the grid.

    Args:
      root: the folder, searched recursively.
      key: the array's name in the archives, `[H, W]`.

    Raises:
      GlobeError: if there is no folder, or no readable field in it.
    """
    super().__init__()
    self._key = key
    self._paths = listing.find_files(root, (".npz",), error=GlobeError)
    self._grid: tuple[np.ndarray, np.ndarray] | None = None
    self[0]
    assert self._grid is not None
    self.latitudes, self.longitudes = self._grid

  def _read(self, path: pathlib.Path) -> np.ndarray:
    """The field `[H, W, 1]` float32; NaN where it is missing."""
    try:
      with (
        open(path, "rb") as stream,
        np.load(stream, allow_pickle=False) as archive,
      ):
        names = ("latitude", "longitude", self._key)
        arrays = [np.asarray(archive[name]) for name in names]
    except images.READ_ERRORS as error:
      raise GlobeError(f"Cannot read {path}: {error}.") from error
    latitudes, longitudes = (a.astype(np.float64) for a in arrays[:2])
    values = arrays[2].astype(np.float32)
    if (
      latitudes.ndim != 1
      or longitudes.ndim != 1
      or values.shape != (len(latitudes), len(longitudes))
    ):
      raise GlobeError(
        f"{path}: {self._key} is {values.shape}, for latitudes "
        f"{latitudes.shape} and longitudes {longitudes.shape}."
      )
    if self._grid is None:
      self._grid = latitudes, longitudes
    if not all(map(np.array_equal, self._grid, (latitudes, longitudes))):
      raise GlobeError(f"{path} lies on another grid than the files before.")
    return values[..., np.newaxis]
