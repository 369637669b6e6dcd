"""Scans of fastMRI (Zbontar et al., 2018), through h5py."""

import os
import pathlib
from types import ModuleType
from typing import Any

import numpy as np

from inrjax.data import listing, substitution, volumes


class FastMRIFolder(substitution.SubstitutingFiles):
  """The slices of fastMRI's scans, reconstructed by root sum of squares.

  COIN++ takes the multi-coil brain scans of the validation split that are T2
  and have 16 slices (thesis C.1.2); it divides them at random into 565 for
  training and 212 for testing, and the division is not published.
  """

  ERROR = volumes.VolumeError
  WARNING = volumes.UnreadableVolumeWarning
  WHAT = "scans"

  def __init__(
    self,
    root: str | os.PathLike[str],
    *,
    acquisition: str = "AXT2",
    num_slices: int = 16,
  ):
    """Lists a folder and reads every file's header.

    Args:
      root: the folder of .h5 files, searched recursively.
      acquisition: what the file's attribute of that name must be.
      num_slices: D.

    Raises:
      VolumeError: if there is no folder, or no such scan in it.
      ImportError: if h5py is not installed.
    """
    super().__init__()
    self._acquisition = acquisition
    self._num_slices = num_slices
    candidates = listing.find_files(root, (".h5",), error=volumes.VolumeError)
    for path in candidates:
      try:
        if self._is_chosen(path):
          self._paths.append(path)
      except volumes.VolumeError as error:
        self._leave_out(path, error)
    if not self._paths:
      raise volumes.VolumeError(
        f"None of {len(candidates)} files below {root} is an {acquisition} "
        f"scan of {num_slices} slices with a reconstruction_rss; fastMRI's "
        "test and challenge splits have none."
      )

  def _is_chosen(self, path: pathlib.Path) -> bool:
    with _Scan(path) as scan:
      return (
        scan.acquisition == self._acquisition
        and "reconstruction_rss" in scan.file
        and len(scan.file["reconstruction_rss"]) == self._num_slices
      )

  def _read(self, path: pathlib.Path) -> np.ndarray:
    with _Scan(path) as scan:
      values = np.asarray(scan.file["reconstruction_rss"])
    if values.ndim != 3 or not np.isfinite(values).all():
      raise volumes.VolumeError(
        f"{path} holds no finite [D, H, W] reconstruction."
      )
    return values[..., np.newaxis]


class _Scan:
  """An open fastMRI file, whose damage is a `VolumeError`."""

  def __init__(self, path: pathlib.Path):
    self._path = path
    h5py = _h5py(path)
    try:
      self.file: Any = h5py.File(path, "r")
    except OSError as error:
      raise volumes.VolumeError(f"Cannot read {path}: {error}.") from error

  @property
  def acquisition(self) -> str:
    value = self.file.attrs.get("acquisition", "")
    return value.decode() if isinstance(value, bytes) else str(value)

  def __enter__(self) -> "_Scan":
    return self

  def __exit__(self, kind: object, error: object, trace: object) -> None:
    self.file.close()
    if isinstance(error, (OSError, KeyError, RuntimeError)):
      raise volumes.VolumeError(
        f"Cannot read {self._path}: {error}."
      ) from error


def _h5py(path: pathlib.Path) -> ModuleType:
  try:
    # Optional: it brings its own HDF5.
    import h5py  # type: ignore[import-untyped,import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      f"Reading {path} needs h5py: pip install 'inrjax[volumes]'."
    ) from error
  module: ModuleType = h5py
  return module
