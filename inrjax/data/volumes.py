"""Volumes out of NIfTI (through nibabel) and NumPy files."""

import os
import pathlib
import zlib
from collections.abc import Iterable
from types import ModuleType
from typing import NamedTuple, Protocol

import numpy as np

from inrjax.data import images, listing, substitution

EXTENSIONS = frozenset((".nii", ".nii.gz", ".npy", ".npz"))


class VolumeError(ValueError):
  """A file that holds no volume this package can use."""


class UnreadableVolumeWarning(UserWarning):
  """A volume among many could not be used and is left out."""


class Volume(NamedTuple):
  """A volume and where it lies.

  Attributes:
    values: `[D, H, W]` in the file's axes and type.
    affine: `[4, 4]` float64 from indices to millimetres; the identity for
      files that have none.
    spacing: millimetres (or the file's unit) from voxel to voxel on each axis.
  """

  values: np.ndarray
  affine: np.ndarray
  spacing: tuple[float, float, float]


class VolumeSource(Protocol):
  """Anything with a length that gives one volume per index."""

  def __len__(self) -> int:
    """Number of volumes."""

  def __getitem__(self, index: int) -> np.ndarray:
    """The volume `[D, H, W, 1]` at an index in `[0, len)`."""


def read_volume(
  path: str | os.PathLike[str],
  *,
  key: str | None = None,
  frame: int | None = None,
) -> Volume:
  """Reads a volume.

  Args:
    path: a .nii, .nii.gz, .npy or .npz file; nothing is unpickled.
    key: the array's name in an .npz file that has several.
    frame: which volume to take of a file with a fourth dimension (time, or
      directions of diffusion); None refuses one of more than one volume.

  Returns:
    The volume. NIfTI's slope and intercept are applied; without them values
    keep their type.

  Raises:
    VolumeError: if the file cannot be read, or holds no volume of numbers.
    ImportError: for NIfTI, if nibabel is not installed.
  """
  path = pathlib.Path(path)
  if path.name.lower().endswith((".nii", ".nii.gz")):
    values, affine, spacing = _read_nifti(path)
  else:
    values, affine, spacing = _read_numpy(path, key), np.eye(4), (1.0,) * 3
  values = _three_axes(path, values, frame)
  if values.dtype.kind not in "biuf" or not values.size:
    raise VolumeError(
      f"{path} holds {values.dtype} values of shape {values.shape}; expected "
      "real numbers."
    )
  if values.dtype.kind == "f" and not np.isfinite(values).all():
    raise VolumeError(
      f"{path} has values that are not finite; set them to the background's."
    )
  return Volume(values, affine, spacing)


class VolumeFiles(substitution.SubstitutingFiles):
  """Volumes, read when asked for; their shapes may differ.

  One that cannot be used is found when it is first read: its place is then
  taken by the next one that can, with one `UnreadableVolumeWarning`.
  """

  ERROR = VolumeError
  WARNING = UnreadableVolumeWarning
  WHAT = "volumes"

  def __init__(
    self,
    paths: Iterable[str | os.PathLike[str]],
    *,
    key: str | None = None,
    frame: int | None = None,
  ):
    """Keeps the paths; nothing is opened yet.

    Args:
      paths: the files, in the order of the indices.
      key: the array's name in .npz files.
      frame: which volume to take of files with a fourth dimension.

    Raises:
      VolumeError: for no paths.
    """
    super().__init__()
    self._key = key
    self._frame = frame
    self._paths = [pathlib.Path(path) for path in paths]
    if not self._paths:
      raise VolumeError(
        f"There are no volumes; expected {', '.join(sorted(EXTENSIONS))} files."
      )

  def _read(self, path: pathlib.Path) -> np.ndarray:
    volume = read_volume(path, key=self._key, frame=self._frame)
    return volume.values[..., np.newaxis]


class VolumeFolder(VolumeFiles):
  """Every volume below a folder, in sorted order; see `VolumeFiles`."""

  def __init__(
    self,
    root: str | os.PathLike[str],
    *,
    key: str | None = None,
    frame: int | None = None,
  ):
    """Lists a folder.

    Args:
      root: the folder, searched recursively.
      key: the array's name in .npz files.
      frame: which volume to take of files with a fourth dimension.

    Raises:
      VolumeError: if there is no folder, or no volume in it.
    """
    paths = listing.find_files(root, EXTENSIONS, error=VolumeError)
    super().__init__(paths, key=key, frame=frame)


def _three_axes(
  path: pathlib.Path, values: np.ndarray, frame: int | None
) -> np.ndarray:
  if values.ndim > 3:
    # Further axes of length one say nothing.
    further = tuple(i for i in range(3, values.ndim) if values.shape[i] == 1)
    values = values.squeeze(further)
  if values.ndim == 4 and frame is not None:
    if not 0 <= frame < values.shape[3]:
      raise VolumeError(
        f"{path} has {values.shape[3]} volumes, and no number {frame}."
      )
    values = values[..., frame]
  if values.ndim == 4:
    raise VolumeError(
      f"{path} has a fourth dimension of {values.shape[3]}; pass frame=0 (or "
      "another) to take one volume, or split the file."
    )
  if values.ndim != 3:
    raise VolumeError(f"{path} holds shape {values.shape}, no [D, H, W].")
  return values


def _read_numpy(path: pathlib.Path, key: str | None) -> np.ndarray:
  try:
    # NumPy leaves a broken file open if it opens it itself.
    with open(path, "rb") as stream:
      loaded = np.load(stream, allow_pickle=False)
      if isinstance(loaded, np.ndarray):
        return loaded
      names = loaded.files
      chosen = names[0] if key is None and len(names) == 1 else key
      if chosen not in names:
        raise VolumeError(
          f"{path} has the arrays {names}; name one of them with key=..."
        )
      return np.asarray(loaded[chosen])
  except images.READ_ERRORS as error:
    if isinstance(error, VolumeError):
      raise
    raise VolumeError(f"Cannot read {path}: {error}.") from error


def _read_nifti(
  path: pathlib.Path,
) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
  nibabel = _nibabel(path)
  try:
    image = nibabel.load(path)
    values = np.asanyarray(image.dataobj)
    affine = np.asarray(image.affine, np.float64)
    zooms = [float(z) for z in image.header.get_zooms()[:3]]
  except (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    zlib.error,
    nibabel.filebasedimages.ImageFileError,
    nibabel.spatialimages.HeaderDataError,
  ) as error:
    raise VolumeError(f"Cannot read {path}: {error}.") from error
  spacing = (*zooms, 1.0, 1.0, 1.0)
  return values, affine, (spacing[0], spacing[1], spacing[2])


def _nibabel(path: pathlib.Path) -> ModuleType:
  try:
    # Optional, and slow to import.
    import nibabel  # type: ignore[import-untyped,import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      f"Reading {path} needs nibabel: pip install 'inrjax[volumes]'."
    ) from error
  module: ModuleType = nibabel
  return module
