"""Kinds of signals that are no images, and which files hold them.

A signal is an array `[..., D1, ..., Dk, C]` in its own unit, and what else its
file says of it, as JSON values: enough to write the same kind of file again.
How files are read and written is in `files_audio`, `files_field`,
`files_volume`, `files_array`, `files_voxels`, `files_mesh` and `files_video`;
`signal_files` picks among them.

Shapes are grids of cells on a cube: occupancy, float32 in [0, 1], above one
half inside, or signed distances, float32, negative inside, in sides of the
cube and cut off far from the surface. A clip is uint8 `[T, H, W, 3]`.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import errors, signal_spec

MESHES = (".obj", ".ply", ".stl", ".off")
# What a grid codec can serve, by the endings of the files that can be written
# of it. Of several kinds the first is meant by a file's name.
SUFFIXES = {
  "audio": (".wav", ".flac"),
  "field": (".nc",),
  "volume": (".nii", ".nii.gz"),
  "array": (".npy", ".npz"),
  "occupancy": (*MESHES, ".binvox", ".npz", ".npy"),
  "distance": MESHES,
  "video": (".mp4", ".mkv", ".gif"),
}
# Endings of files that are read only.
READ_ONLY = {
  "video": (".avi", ".m4v", ".mov", ".mpeg", ".mpg", ".webm", ".y4m"),
}
KINDS = tuple(SUFFIXES)
CHOICES = ("image", *KINDS)
_TYPE = "type"
_LONG_TYPES = ("int64", "uint64")
# Axes of a signal before its channels, where the kind fixes them.
NUM_AXES = {
  "audio": 1,
  "field": 2,
  "volume": 3,
  "occupancy": 3,
  "distance": 3,
  "video": 3,
}


class Signal(NamedTuple):
  """What a file holds, or one variable of it.

  Attributes:
    kind: one of `KINDS`.
    values: `[..., D1, ..., Dk, C]`, in the file's unit and of a type of
      `signal_spec.DTYPES`; NaN where a value is missing. Axes before the k of
      the kind count signals of one shape: channels of sound, steps in time.
    metadata: JSON values; what the kind's files need beside the values.
    unit: of the values, "" for none.
    name: of the file, for display.
  """

  kind: str
  values: np.ndarray
  metadata: Mapping[str, Any] = {}
  unit: str = ""
  name: str | None = None


class Grid(NamedTuple):
  """How the axes of an array are used by a model of k axes.

  Attributes:
    lead: lengths of the axes that count signals.
    grid: lengths of the k axes of each.
    channels: C.
  """

  lead: tuple[int, ...]
  grid: tuple[int, ...]
  channels: int


def kind_of(path: str | os.PathLike[str]) -> str:
  """The kind of a file by its name: one of `CHOICES`.

  What no kind claims is taken for an image.
  """
  name = pathlib.PurePath(path).name.lower()
  for kind, suffixes in SUFFIXES.items():
    if name.endswith((*suffixes, *READ_ONLY.get(kind, ()))):
      return kind
  return "image"


def suffix_of(path: str | os.PathLike[str]) -> str:
  """The ending of a file's name in small letters, `.nii.gz` as a whole."""
  name = pathlib.PurePath(path).name.lower()
  groups = (*SUFFIXES.values(), *READ_ONLY.values())
  known = [s for group in groups for s in group if name.endswith(s)]
  return max(known, key=len, default=pathlib.PurePath(name).suffix)


def arrange(
  shape: Sequence[int], *, num_axes: int, channels: int
) -> Grid | None:
  """How a model sees an array, or None if it cannot be one of its signals.

  The last axis holds the channels if it has as many as the model. A model of
  one channel also takes arrays without a channel axis.

  Args:
    shape: of the array.
    num_axes: k.
    channels: C of the model.
  """
  shape = tuple(int(n) for n in shape)
  if len(shape) > num_axes and shape[-1] == channels:
    return Grid(shape[: -num_axes - 1], shape[-num_axes - 1 : -1], channels)
  if channels == 1 and len(shape) >= num_axes:
    return Grid(shape[:-num_axes], shape[-num_axes:], 1)
  return None


def own_range(kind: str, values: np.ndarray) -> tuple[float, float]:
  """The range of a signal: what its kind says, or its lowest and highest value.

  Sound and clips have full scale, occupancy 0 to 1. Sound of floats that goes
  beyond full scale has as much as it needs, on either side.

  Args:
    kind: one of `KINDS`.
    values: of a type of `signal_spec.DTYPES`; NaN is skipped.

  Returns:
    The ends, the second above the first also if all values are alike.
  """
  if kind == "occupancy":
    return 0.0, 1.0
  if kind == "audio" and values.dtype.kind == "f":
    peak = max(1.0, float(np.nanmax(np.abs(values))))
    return -peak, peak
  if kind in ("audio", "video"):
    return signal_spec.NATURAL_RANGES[values.dtype.name]
  low, high = float(np.nanmin(values)), float(np.nanmax(values))
  return low, high if low < high else low + max(1.0, abs(low))


def narrowed(values: np.ndarray) -> tuple[np.ndarray, dict[str, str]]:
  """The numbers of a file in a type that can be coded, not one of them changed.

  Args:
    values: integers or floats.

  Returns:
    Values of a type of `signal_spec.DTYPES` and native byte order; what
    `restored` needs among the metadata. 64-bit integers become integers of 32
    bits, and come back as they were; wider floats become float64.

  Raises:
    UnsupportedSignalError: if a number has no equal in such a type.
  """
  name = values.dtype.name
  values = values.astype(values.dtype.newbyteorder("="), copy=False)
  if name in signal_spec.DTYPES:
    return values, {}
  if name in _LONG_TYPES:
    for narrow in (np.int32, np.uint32):
      limits = np.iinfo(narrow)
      if not values.size or (
        limits.min <= values.min() and values.max() <= limits.max
      ):
        return values.astype(narrow), {_TYPE: name}
    raise errors.UnsupportedSignalError(
      f"Integers from {values.min()} to {values.max()} take more than the 32 "
      "bits that are coded: save them in another unit, or as float64."
    )
  wide = values.astype(np.float64)
  if not np.array_equal(wide, values, equal_nan=True):
    raise errors.UnsupportedSignalError(
      f"Numbers of type {name} are finer than float64: convert them."
    )
  return wide, {}


def restored(signal: Signal) -> np.ndarray:
  """The values of a signal in the type that `narrowed` was given.

  Raises:
    CorruptBitstreamError: for metadata that it does not give.
  """
  name = signal.metadata.get(_TYPE)
  if name is None:
    return signal.values
  if name not in _LONG_TYPES or signal.values.dtype.kind not in "iu":
    raise errors.CorruptBitstreamError(
      f"The metadata declare type {name!r} of {signal.values.dtype}: the file "
      "is damaged."
    )
  return signal.values.astype(name)


def checked(signal: Signal) -> Signal:
  """A signal whose values can be coded.

  Raises:
    UnsupportedSignalError: for another kind or type, no values, infinite ones,
      or nothing but missing ones; for occupancy outside [0, 1], shapes with
      missing values, and clips that are not uint8.
  """
  name = signal.name or f"The {signal.kind}"
  values = np.asarray(signal.values)
  if signal.kind not in KINDS:
    raise errors.UnsupportedSignalError(
      f"{name} is of kind {signal.kind!r}; choose from {', '.join(KINDS)}."
    )
  if values.dtype.name not in signal_spec.DTYPES:
    raise errors.UnsupportedSignalError(
      f"{name} has type {values.dtype}; convert it to one of "
      f"{', '.join(signal_spec.DTYPES)}."
    )
  if not values.size:
    raise errors.UnsupportedSignalError(f"{name} is empty: {values.shape}.")
  if values.dtype.kind == "f":
    if np.isinf(values).any():
      raise errors.UnsupportedSignalError(
        f"{name} has infinite values; mark what is missing with NaN."
      )
    if np.isnan(values).all():
      raise errors.UnsupportedSignalError(
        f"{name} has no value that is not missing."
      )
  _check_range(signal.kind, values, name)
  return signal._replace(values=values)


def _check_range(kind: str, values: np.ndarray, name: str) -> None:
  """What the kind asks of values; raises UnsupportedSignalError."""
  if kind == "video" and values.dtype != np.uint8:
    raise errors.UnsupportedSignalError(
      f"{name} has type {values.dtype}; frames are uint8."
    )
  if kind in ("occupancy", "distance") and np.isnan(values).any():
    raise errors.UnsupportedSignalError(
      f"{name} has missing values; a shape is somewhere or not."
    )
  if kind == "occupancy" and (values.min() < 0 or values.max() > 1):
    raise errors.UnsupportedSignalError(
      f"{name} has values from {values.min():g} to {values.max():g}; occupancy "
      "is from 0 to 1."
    )
