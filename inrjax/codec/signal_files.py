"""Files of any kind but images: which reader, which writer, which name."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from inrjax.codec import (
  container,
  errors,
  files_array,
  files_audio,
  files_field,
  files_volume,
  kinds,
  side_info,
)

# Leaves room for a number and a suffix in the 255 bytes of a file's name.
_MAX_STEM_BYTES = 200


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
) -> list[kinds.Signal]:
  """The signals of a file.

  Args:
    path: the file.
    kind: one of `kinds.KINDS`; by default what its name says.
    variables: of a netCDF file, see `files_field.read`.
    rate: of sound, see `files_audio.read`.

  Returns:
    One signal; of netCDF files one for each variable. Each has the file's name.

  Raises:
    UnsupportedSignalError: if the file cannot be read as that kind.
    OSError: if there is no such file.
    ImportError: if the kind's package is not installed.
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
    signals = [files_audio.read(path, rate=rate)]
  elif kind == "volume":
    signals = [files_volume.read(path)]
  else:
    signals = [files_array.read(path)]
  name = container.safe_name(os.path.basename(os.fspath(path)), kind)
  return [kinds.checked(signal._replace(name=name)) for signal in signals]


def files_of(signals: Iterable[kinds.Signal]) -> list[File]:
  """Signals by the file they came from, in order.

  Fields that follow one another under one name are of one file.
  """
  files: list[File] = []
  for signal in signals:
    last = files[-1] if files else None
    if last is not None and _continues(last, signal):
      files[-1] = last._replace(signals=(*last.signals, signal))
    else:
      files.append(File(signal.name, (signal,)))
  return files


def write(file: File, suffix: str) -> bytes:
  """A file's content.

  Args:
    file: its signals.
    suffix: what the file is to be, one of `suffixes(file)`.

  Returns:
    The bytes.

  Raises:
    UnsupportedSignalError: for a suffix of another kind.
    CorruptBitstreamError: for metadata that no such file has.
    ImportError: if the kind's package is not installed.
  """
  first = file.signals[0]
  if suffix not in suffixes(file):
    raise errors.UnsupportedSignalError(
      f"A signal of kind {first.kind} cannot be written as {suffix!r}; choose "
      f"{', '.join(suffixes(file))}."
    )
  if suffix == ".npy" or first.kind == "array":
    return files_array.write(first)
  if first.kind == "field":
    return files_field.write(file.signals)
  if first.kind == "audio":
    return files_audio.write(first, suffix)
  return files_volume.write(first, suffix)


def named_contents(files: Sequence[File]) -> dict[str, bytes]:
  """Contents by names that are safe, and different whatever their case."""
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
    contents[distinct + suffix] = write(file, suffix)
  return contents


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
  """What a file holds that could be compressed, as JSON values.

  Raises:
    UnsupportedSignalError, OSError, ImportError: as `read`.
  """
  facts = []
  for signal in read(path):
    low, high = float(np.nanmin(signal.values)), float(np.nanmax(signal.values))
    facts.append(
      {
        "kind": signal.kind,
        "shape": list(signal.values.shape),
        "type": signal.values.dtype.name,
        "range": [low, high],
        "unit": signal.unit,
        "missing": int(np.isnan(signal.values).sum()),
        **side_info.shown(signal.metadata),
      }
    )
  return {"kind": "signal", "signals": facts}


def suffixes(file: File) -> tuple[str, ...]:
  """What a file may be written as, the first by default."""
  named = kinds.SUFFIXES[file.signals[0].kind]
  own = kinds.suffix_of(file.name or "")
  ordered = sorted(named, key=lambda suffix: suffix != own)
  # The bare values are there for every signal.
  bare = (".npy",) if len(file.signals) == 1 else ()
  return tuple(dict.fromkeys((*ordered, *bare)))


def _continues(file: File, signal: kinds.Signal) -> bool:
  taken = {s.metadata.get("variable") for s in file.signals}
  return (
    signal.kind == "field" == file.signals[0].kind
    and signal.name == file.name
    and signal.metadata.get("variable") not in taken
  )
