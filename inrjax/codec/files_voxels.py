"""Occupancy grids from and to .npz, .npy and .binvox files.

What is not 0 is occupied. A decoded grid is graded, between 0 and 1; where its
file held whole cells it is cut at one half, and of the file's type again.
"""

import os
import pathlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inrjax.codec import errors, file_tools, files_array, kinds, placement

_TYPES = frozenset(
  f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
) | {"bool", "float16", "float32", "float64"}
_MAX_RUN = 255
# Names of grids in a warning.
_SHOWN = 3


class EmptyGridWarning(UserWarning):
  """A grid in which nothing is occupied; it is kept all the same."""


class DroppedValuesWarning(UserWarning):
  """Cells of different values, of which only the occupancy is kept."""


def read(
  path: str | os.PathLike[str],
  *,
  variables: Sequence[str] = (),
  tools: file_tools.Tools | None = None,
) -> list[kinds.Signal]:
  """The occupancy grids of a file.

  Args:
    path: an .npz, .npy or .binvox file; arrays `[..., X, Y, Z]`, or with a last
      axis of one channel, the axes before X counting grids. Arrays of fewer
      axes are kept as they are.
    variables: keys of an .npz file; by default all.
    tools: for .binvox files.

  Returns:
    `[..., X, Y, Z, 1]` float32, 0 or 1, a signal for each array. An
    `EmptyGridWarning` names grids without an occupied cell, a
    `DroppedValuesWarning` grids with several values beside 0.

  Raises:
    UnsupportedSignalError: if the file cannot be read or holds no grid.
  """
  if kinds.suffix_of(path) == ".binvox":
    given = file_tools.required(tools, ".binvox files")
    return _named([_read_binvox(path, given)], path)
  arrays = files_array.chosen(files_array.load(path), variables, path)
  signals, others = [], {}
  for key, values in arrays.items():
    if key is not None and (values.ndim < 3 or not values.size):
      others[key] = values
      continue
    shown = os.fspath(path) if key is None else f"{os.fspath(path)}, {key}"
    metadata = {} if key is None else {"variable": key}
    signals.append(_signal(values, metadata, shown))
  return files_array.with_others(_named(signals, path), others, path)


def restored(signal: kinds.Signal) -> np.ndarray:
  """The grid of a signal as its file had it; graded if that was a mesh.

  Raises:
    CorruptBitstreamError: for metadata that `read` does not give.
  """
  kind = signal.metadata.get("type")
  if kind is None:
    return signal.values
  value = signal.metadata.get("value", 1)
  if (
    not isinstance(kind, str)
    or kind not in _TYPES
    or not isinstance(value, int | float)
    or signal.values.shape[-1] != 1
  ):
    raise errors.CorruptBitstreamError(
      f"The metadata declare cells {value!r} of type {kind!r}: the file is "
      "damaged."
    )
  dtype = np.dtype(kind)
  whole = signal.metadata.get("channels") is True
  occupied = cells(signal) if whole else cells(signal)[..., 0]
  try:
    with np.errstate(over="ignore"):
      cell = np.array(value).astype(dtype)
    if cell != value:
      raise ValueError(f"{value} is no {kind}")
  except (OverflowError, ValueError) as error:
    raise errors.CorruptBitstreamError(
      f"The metadata declare impossible cells ({error}): the file is damaged."
    ) from error
  return np.where(occupied, cell, dtype.type(0))


def cells(signal: kinds.Signal) -> np.ndarray:
  """`[..., X, Y, Z, 1]` bool of a decoded grid."""
  occupied: np.ndarray = signal.values > 0.5
  return occupied


def write_binvox(signal: kinds.Signal) -> bytes:
  """A grid as the bytes of a .binvox file.

  Raises:
    UnsupportedSignalError: for several grids.
    CorruptBitstreamError: for a place that no grid has.
  """
  if signal.values.ndim != 4 or signal.values.shape[-1] != 1:
    raise errors.UnsupportedSignalError(
      f"A .binvox file holds one grid, not {signal.values.shape}: choose .npy."
    )
  place = placement.of(signal.metadata)
  occupied = cells(signal)[..., 0]
  # In the file y varies fastest, then z.
  flat = occupied.swapaxes(1, 2).ravel()
  starts = np.flatnonzero(np.diff(flat, prepend=~flat[:1]))
  lengths = np.diff(starts, append=len(flat))
  pairs = bytearray()
  for value, length in zip(
    flat[starts].tolist(), lengths.tolist(), strict=True
  ):
    full, rest = divmod(length, _MAX_RUN)
    pairs += bytes([value, _MAX_RUN]) * full
    pairs += bytes([value, rest]) if rest else b""
  corner = -place.offset / place.scale
  header = (
    "#binvox 1\n"
    f"dim {' '.join(map(str, occupied.shape))}\n"
    f"translate {' '.join(f'{x + 0.0:.9g}' for x in corner)}\n"
    f"scale {1 / place.scale:.9g}\n"
    "data\n"
  )
  return header.encode() + bytes(pairs)


def _signal(
  values: np.ndarray, metadata: Mapping[str, Any], shown: str
) -> kinds.Signal:
  """A grid of any type as a signal."""
  if (
    values.ndim < 3
    or not values.size
    or values.dtype.name not in _TYPES
    or not np.isfinite(values).all()
  ):
    raise errors.UnsupportedSignalError(
      f"{shown} is {values.dtype} {list(values.shape)}; a grid is finite "
      "numbers [X, Y, Z]."
    )
  occupied = values != 0
  found: dict[str, Any] = {**metadata, "type": values.dtype.name}
  # With four axes and more a last one of length 1 is the channel.
  if values.ndim > 3 and values.shape[-1] == 1:
    found["channels"] = True
  else:
    occupied = occupied[..., np.newaxis]
  # Most grids are whole; sorting their cells would take longer.
  present = values[values != 0]
  if present.size and (present == present.flat[0]).all():
    if present.flat[0] != 1:
      found["value"] = present.flat[0].item()
  elif present.size:
    found["value"] = None  # See `_named`.
  return kinds.Signal("occupancy", occupied.astype(np.float32), found)


def _named(
  signals: list[kinds.Signal], path: str | os.PathLike[str]
) -> list[kinds.Signal]:
  """The signals, with one warning of each kind for all that ask for it."""
  empty, mixed, plain = [], [], []
  for signal in signals:
    metadata = dict(signal.metadata)
    name = metadata.get("variable", "")
    if not signal.values.any():
      empty.append(name)
    if metadata.get("value", 1) is None:
      del metadata["value"]
      mixed.append(name)
    plain.append(signal._replace(metadata=metadata))
  if empty:
    warnings.warn(
      f"{_listed(path, empty)}: empty, nothing is occupied; kept as it is.",
      EmptyGridWarning,
      stacklevel=4,
    )
  if mixed:
    warnings.warn(
      f"{_listed(path, mixed)}: several values beside 0; that a cell is "
      "occupied is kept, its value becomes 1.",
      DroppedValuesWarning,
      stacklevel=4,
    )
  return plain


def _listed(path: str | os.PathLike[str], names: list[str]) -> str:
  """A file and some of its grids."""
  some = ", ".join(names[:_SHOWN])
  more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
  return f"{os.fspath(path)}{', ' if some else ''}{some}{more}"


def _read_binvox(
  path: str | os.PathLike[str], tools: file_tools.Tools
) -> kinds.Signal:
  try:
    grid = tools.read_binvox(path)
    header = pathlib.Path(path).read_bytes().partition(b"\ndata\n")[0]
    fields = {
      words[0]: [float(word) for word in words[1:]]
      for words in map(bytes.split, header.splitlines())
      if words[:1] in ([b"translate"], [b"scale"])
    }
    (size,) = fields.get(b"scale", [1.0])
    corner = np.array(fields.get(b"translate", [0.0, 0.0, 0.0]))
    if corner.shape != (3,) or not size > 0:
      raise ValueError(f"translate {corner} and scale {size} are no place")
  except ValueError as error:
    raise errors.UnsupportedSignalError(
      file_tools.reason(error, path)
    ) from error
  place = placement.metadata(1 / size, -corner / size)
  return _signal(grid, place, os.fspath(path))
