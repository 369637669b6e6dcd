"""Files of any kind but images: which reader, which writer, which name."""

import os
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import (
  container,
  errors,
  file_tools,
  files_array,
  files_audio,
  files_field,
  files_mesh,
  files_video,
  files_volume,
  files_voxels,
  kinds,
  side_info,
)

# Leaves room for a number and a suffix in the 255 bytes of a file's name.
_MAX_STEM_BYTES = 200
# Kinds of which one file may hold several signals, and as which it does.
_SEVERAL = {"field": ".nc", "array": ".npz", "occupancy": ".npz"}
_GRIDS = (".binvox", ".npz", ".npy")


class EmptyShapeWarning(UserWarning):
  """A shape of which nothing is left is written as an array, not as a mesh."""


class File(NamedTuple):
  """The signals of one file.

  Attributes:
    name: as stored, None where it is not.
    signals: at least one, all of one kind.
  """

  name: str | None
  signals: tuple[kinds.Signal, ...]


def read(
  path: str | os.PathLike[str],
  *,
  kind: str | None = None,
  variables: Sequence[str] = (),
  rate: int | None = None,
  side: int = files_mesh.DEFAULT_SIDE,
  tools: file_tools.Tools | None = None,
) -> list[kinds.Signal]:
  """The signals of a file.

  Args:
    path: the file.
    kind: one of `kinds.KINDS`; by default what its name says.
    variables: of a netCDF file, see `files_field.read`, or keys of an .npz one.
    rate: of sound, see `files_audio.read`.
    side: cells on a side of a mesh's grid, see `files_mesh.read`.
    tools: `inrjax.data`, for sound, meshes, .binvox files and clips.

  Returns:
    One signal; of netCDF files one for each variable, of .npz files one for
    each array. Each has the file's name.

  Raises:
    UnsupportedSignalError: if the file cannot be read as that kind.
    OSError: if there is no such file.
    ImportError: if the kind's package is not installed.
    ValueError: without tools where they are needed, or for a side out of range.
  """
  kind = kind or kinds.kind_of(path)
  if kind not in kinds.KINDS:
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} is no {', '.join(kinds.KINDS)} by its name; name its "
      "kind, or take a model for images."
    )
  with open(path, "rb"):
    pass  # There, and readable: what libraries say of it is less clear.
  if kind == "field":
    signals = files_field.read(path, variables=variables)
  elif kind == "audio":
    given = file_tools.required(tools, "Sounds")
    signals = [files_audio.read(path, rate=rate, tools=given)]
  elif kind == "volume":
    signals = [files_volume.read(path)]
  elif kind == "array":
    signals = files_array.read(path, variables=variables)
  elif kind == "video":
    given = file_tools.required(tools, "Clips")
    signals = [files_video.read(path, tools=given)]
  elif kind == "occupancy" and kinds.suffix_of(path) in _GRIDS:
    signals = files_voxels.read(path, variables=variables, tools=tools)
  else:
    given = file_tools.required(tools, "Meshes")
    signals = [files_mesh.read(path, kind=kind, side=side, tools=given)]
  name = container.safe_name(os.path.basename(os.fspath(path)), kind)
  return [_checked(signal, name) for signal in signals]


def shown_name(signal: kinds.Signal, name: str) -> str:
  """The name of a signal's file, and which part of it the signal is."""
  part = _part(signal)
  return name if part is None else f"{name}, {part}"


def files_in(data: bytes) -> list[File]:
  """The files that a stream was made of, without their values.

  Args:
    data: an .inr file of signals that are no images.

  Returns:
    What `files_of` gives of the decoded signals; all values are 0.

  Raises:
    CorruptBitstreamError, WrongModelError: for damaged bytes.
  """
  info = container.peek(data)
  sides = [b""] * len(info.specs)
  if info.profile == "full":
    sides = [record.side for record in container.unpack(data).signals]
  signals = []
  for spec, name, side in zip(info.specs, info.names, sides, strict=True):
    assert spec is not None  # An image.
    nothing = np.broadcast_to(np.zeros((), spec.dtype), spec.shape)
    metadata = side_info.read_metadata(side)
    signals.append(kinds.Signal(spec.kind, nothing, metadata, name=name))
  return files_of(signals)


def files_of(signals: Iterable[kinds.Signal]) -> list[File]:
  """Signals by the file they came from, in order.

  Fields that follow one another under one name are of one file, and so are
  arrays of an archive.
  """
  files: list[File] = []
  for signal in signals:
    last = files[-1] if files else None
    if last is not None and _continues(last, signal):
      files[-1] = last._replace(signals=(*last.signals, signal))
    else:
      files.append(File(signal.name, (signal,)))
  return files


def write(
  file: File, suffix: str, *, tools: file_tools.Tools | None = None
) -> bytes:
  """A file's content.

  Args:
    file: its signals.
    suffix: what the file is to be, one of `suffixes(file)`.
    tools: `inrjax.data`, for meshes.

  Returns:
    The bytes.

  Raises:
    UnsupportedSignalError: for a suffix of another kind, or a shape of which
      nothing is left (`files_mesh.EmptyShapeError`).
    CorruptBitstreamError: for metadata that no such file has.
    ImportError: if the kind's package is not installed.
    ValueError: without tools where they are needed.
  """
  first = file.signals[0]
  if suffix not in suffixes(file):
    raise errors.UnsupportedSignalError(
      f"A signal of kind {first.kind} cannot be written as {suffix!r}; choose "
      f"{', '.join(suffixes(file))}."
    )
  if suffix == ".npz":
    return files_array.write_archive(file.signals, map(_array, file.signals))
  if suffix == ".npy":
    return files_array.write(_array(first))
  if suffix == ".binvox":
    return files_voxels.write_binvox(first)
  if suffix in kinds.MESHES:
    given = file_tools.required(tools, "Meshes")
    return files_mesh.write(first, suffix, tools=given)
  if first.kind == "field":
    return files_field.write(file.signals)
  if first.kind == "audio":
    return files_audio.write(first, suffix)
  if first.kind == "video":
    return files_video.write(first, suffix)
  return files_volume.write(first, suffix)


def named_contents(
  files: Sequence[File], *, tools: file_tools.Tools | None = None
) -> dict[str, bytes]:
  """Contents by names that are safe, and different whatever their case.

  A mesh of whose shape nothing is left becomes an .npy file, with an
  `EmptyShapeWarning`.

  Args:
    files: as `files_of` gives them.
    tools: `inrjax.data`, for meshes.

  Raises:
    CorruptBitstreamError, ImportError, ValueError: as `write`.
  """
  contents: dict[str, bytes] = {}
  taken: set[str] = set()
  for index, file in enumerate(files):
    suffix = suffixes(file)[0]
    name = container.safe_name(file.name, f"signal-{index}")
    own = kinds.suffix_of(name)
    stem = name[: len(name) - len(own)]
    stem = stem.encode()[:_MAX_STEM_BYTES].decode(errors="ignore") or "signal"
    distinct, number = stem, 2
    while distinct.casefold() in taken:
      distinct, number = f"{stem}-{number}", number + 1
    taken.add(distinct.casefold())
    try:
      contents[distinct + suffix] = write(file, suffix, tools=tools)
    except files_mesh.EmptyShapeError as error:
      warnings.warn(
        f"{error} Here it is {distinct}.npy.", EmptyShapeWarning, stacklevel=2
      )
      contents[distinct + ".npy"] = write(file, ".npy")
  return contents


def describe(
  path: str | os.PathLike[str], *, tools: file_tools.Tools | None = None
) -> dict[str, Any]:
  """What a file holds that could be compressed, as JSON values.

  Args:
    path: the file.
    tools: as `read`.

  Raises:
    UnsupportedSignalError, OSError, ImportError, ValueError: as `read`.
  """
  if kinds.suffix_of(path) in kinds.MESHES:
    with open(path, "rb"):
      pass  # As `read` does.
    given = file_tools.required(tools, "Meshes")
    return {
      "kind": "signal",
      "signals": [files_mesh.describe(path, tools=given)],
    }
  facts = []
  for signal in read(path, tools=tools):
    low, high = float(np.nanmin(signal.values)), float(np.nanmax(signal.values))
    facts.append(
      {
        "kind": signal.kind,
        "shape": list(signal.values.shape),
        "type": signal.metadata.get("type", signal.values.dtype.name),
        "range": [low, high],
        "unit": signal.unit,
        "missing": int(np.isnan(signal.values).sum()),
        **side_info.shown(signal.metadata),
      }
    )
  return {"kind": "signal", "signals": facts}


def suffixes(file: File) -> tuple[str, ...]:
  """What a file may be written as, the first by default."""
  first = file.signals[0]
  named = kinds.SUFFIXES[first.kind]
  if len(file.signals) > 1:
    return (_SEVERAL[first.kind],)
  # A grid or clip has four axes, its channels included; an array may have more.
  if first.values.ndim > 4 and first.kind in ("occupancy", "distance", "video"):
    named = (".npz",) if first.kind == "occupancy" else ()
  own = kinds.suffix_of(file.name or "")
  # The bare values are there for every signal.
  known = dict.fromkeys((*named, ".npy"))
  return tuple(sorted(known, key=lambda suffix: suffix != own))


def _array(signal: kinds.Signal) -> np.ndarray:
  """The array of a signal, as the file had it where it was an array."""
  if signal.kind == "occupancy":
    return files_voxels.restored(signal)
  if signal.kind in ("field", "volume"):
    return kinds.restored(signal)
  return files_array.restored(signal)


def _checked(signal: kinds.Signal, name: str) -> kinds.Signal:
  """A signal that can be coded, with its file's name."""
  named = signal._replace(name=shown_name(signal, name))
  return kinds.checked(named)._replace(name=name)


def _part(signal: kinds.Signal) -> str | None:
  """Which part of its file a signal is, if that may have several."""
  part = signal.metadata.get("variable")
  several = signal.kind in _SEVERAL and isinstance(part, str)
  return part if several else None


def _continues(file: File, signal: kinds.Signal) -> bool:
  part = _part(signal)
  return (
    signal.kind == file.signals[0].kind
    and signal.name == file.name
    and part is not None
    and None not in (taken := {_part(s) for s in file.signals})
    and part not in taken
  )
