"""Arrays from and to .npy and .npz files; nothing is unpickled.

Of an archive each array is a signal that its key names. Arrays that cannot be
signals (single numbers, 64-bit integers, empty ones) are kept as they are, with
the first signal's metadata. Booleans are coded as uint8.
"""

import io
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from inrjax.codec import (
  errors,
  files_field,
  json_arrays,
  kinds,
  signal_spec,
)

# NumPy's own name for an array without one.
DEFAULT_KEY = "arr_0"
_READ_ERRORS = (
  OSError,
  ValueError,
  EOFError,
  SyntaxError,
  MemoryError,
  KeyError,
  IndexError,
  TypeError,
  NotImplementedError,
  RuntimeError,  # an encrypted archive
  struct.error,
  zlib.error,
  zipfile.BadZipFile,
)
_MAX_KEY = 255
_MAX_OTHERS = 1024
# Archives have dates; this is the first one that they can have.
_DATE = (1980, 1, 1, 0, 0, 0)


def load(path: str | os.PathLike[str]) -> dict[str | None, np.ndarray]:
  """The arrays of a file, of native byte order, by their keys.

  Args:
    path: an .npz file, or an .npy file, whose array has the key None.

  Raises:
    UnsupportedSignalError: if the file cannot be read, or holds what is no
      number.
  """
  archive = kinds.suffix_of(path) == ".npz"
  try:
    # NumPy leaves a broken file open if it opens it itself.
    with open(path, "rb") as stream:
      if archive:
        found = _load_archive(stream)
      else:
        values = np.lib.format.read_array(stream, allow_pickle=False)
        found = {None: values}
  except FileNotFoundError:
    raise
  except _READ_ERRORS as error:
    raise errors.UnsupportedSignalError(
      f"Cannot read {os.fspath(path)}: {error}"
    ) from error
  return {
    key: values.astype(values.dtype.newbyteorder("="), copy=False)
    for key, values in found.items()
  }


def chosen(
  arrays: Mapping[str | None, np.ndarray],
  variables: Sequence[str],
  path: str | os.PathLike[str],
) -> dict[str | None, np.ndarray]:
  """The arrays of an archive that are asked for; all of them for no names.

  A `files_field.LeftOutWarning` names the others.

  Raises:
    UnsupportedSignalError: for names that are not there, or arrays that hold
      no numbers.
  """
  missing = [name for name in variables if name not in arrays]
  if missing:
    there = ", ".join(str(key) for key in arrays if key is not None)
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} has no array {missing[0]!r}; it has {there or 'one'}."
    )
  kept = {k: v for k, v in arrays.items() if not variables or k in variables}
  for key, values in kept.items():
    if values.dtype.kind not in "buif":
      of = "" if key is None else f"{key!r} of "
      raise errors.UnsupportedSignalError(
        f"{of}{os.fspath(path)} holds {values.dtype} {list(values.shape)}; give"
        " arrays of integers or floats, or choose them by --variable."
      )
  left = [str(key) for key in arrays if key not in kept]
  if left:
    warnings.warn(
      f"{', '.join(left)} of {os.fspath(path)} are left out, since they are not"
      " among the arrays that are named.",
      files_field.LeftOutWarning,
      stacklevel=4,
    )
  return kept


def read(
  path: str | os.PathLike[str], *, variables: Sequence[str] = ()
) -> list[kinds.Signal]:
  """Arrays as they are; the model says what their axes are.

  Args:
    path: an .npy or .npz file.
    variables: keys of an archive; by default all.

  Returns:
    A signal for each array; those of archives have their key as `variable` in
    their metadata.

  Raises:
    UnsupportedSignalError: if the file cannot be read, holds no numbers, or no
      array that can be coded.
  """
  arrays = chosen(load(path), variables, path)
  signals, others = [], {}
  for key, values in arrays.items():
    metadata: dict[str, Any] = {} if key is None else {"variable": key}
    if values.dtype == bool:
      metadata["type"] = "bool"
    shown = values.astype(np.uint8) if values.dtype == bool else values
    if key is None and values.ndim or _is_signal(shown):
      signals.append(kinds.Signal("array", shown, metadata))
    else:
      others[str(key)] = values
  return with_others(signals, others, path)


def with_others(
  signals: list[kinds.Signal],
  others: Mapping[str, np.ndarray],
  path: str | os.PathLike[str],
) -> list[kinds.Signal]:
  """Signals of an archive, the first of which keeps its other arrays.

  Args:
    signals: what is coded.
    others: arrays that are not, by their keys.
    path: of the file.

  Raises:
    UnsupportedSignalError: if there is no signal, or an array that cannot be
      kept.
  """
  if not signals:
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} has no array that can be coded."
    )
  if not others:
    return signals
  packed = {}
  total = sum(values.size for values in others.values())
  if len(others) > _MAX_OTHERS or total > json_arrays.MAX_VALUES:
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} has {len(others)} arrays of {total} values that "
      "cannot be coded, too many to be kept: choose others by --variable."
    )
  for key, values in others.items():
    flag = {"bool": True} if values.dtype == bool else {}
    plain = values.astype(np.uint8) if flag else values
    try:
      packed[key] = {**json_arrays.pack(plain), **flag}
    except errors.UnsupportedSignalError as error:
      raise errors.UnsupportedSignalError(
        f"{key!r} of {os.fspath(path)}: {error}"
      ) from error
  first = signals[0]
  metadata = {**first.metadata, "others": packed}
  return [first._replace(metadata=metadata), *signals[1:]]


def restored(signal: kinds.Signal) -> np.ndarray:
  """The array of a signal, of the type that its file had.

  Raises:
    CorruptBitstreamError: for metadata that `read` does not give.
  """
  kind = signal.metadata.get("type")
  if signal.kind != "array" or kind is None:
    return signal.values
  if kind != "bool":
    raise errors.CorruptBitstreamError(
      f"The metadata declare an array of type {kind!r}: the file is damaged."
    )
  return signal.values != 0


def write(values: np.ndarray) -> bytes:
  """An array as the bytes of an .npy file."""
  out = io.BytesIO()
  np.save(out, np.ascontiguousarray(values), allow_pickle=False)
  return out.getvalue()


def write_archive(
  signals: Iterable[kinds.Signal], arrays: Iterable[np.ndarray]
) -> bytes:
  """Arrays as the bytes of an .npz file, the same for the same arrays.

  Args:
    signals: whose metadata have the keys and what else the archive had.
    arrays: of each, as it is to be written.

  Raises:
    CorruptBitstreamError: for metadata that no archive gives.
  """
  found: list[tuple[str, np.ndarray]] = []
  for signal, values in zip(signals, arrays, strict=True):
    found.append((_key(signal.metadata.get("variable", DEFAULT_KEY)), values))
    found += _unpacked(signal.metadata.get("others", {}))
  if len(dict(found)) < len(found):
    raise errors.CorruptBitstreamError(
      "The metadata give two arrays one name: the file is damaged."
    )
  out = io.BytesIO()
  with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
    for key, values in found:
      info = zipfile.ZipInfo(f"{key}.npy", _DATE)
      archive.writestr(info, write(values), zipfile.ZIP_DEFLATED)
  return out.getvalue()


def _load_archive(stream: Any) -> dict[str | None, np.ndarray]:
  loaded = np.load(stream, allow_pickle=False)
  if isinstance(loaded, np.ndarray):
    raise ValueError("it is one array, not an archive: name it .npy")
  names = list(loaded.files)
  if len(set(names)) < len(names) or not all(map(_is_key, names)):
    raise ValueError("its arrays have names that no new archive could have")
  return {name: np.asarray(loaded[name]) for name in names}


def _is_signal(values: np.ndarray) -> bool:
  return (
    values.dtype.name in signal_spec.DTYPES
    and 1 <= values.ndim <= signal_spec.MAX_AXES
    and values.size > 0
  )


def _is_key(name: Any) -> bool:
  """Whether a name is one that unpacking leaves within its folder."""
  return (
    isinstance(name, str)
    and 0 < len(name) <= _MAX_KEY
    and name.isprintable()
    and not {"\\", ":"} & set(name)
    and not {"", ".", ".."} & set(name.split("/"))
  )


def _key(name: Any) -> str:
  if not _is_key(name):
    raise errors.CorruptBitstreamError(
      f"The metadata name an array {name!r}: the file is damaged."
    )
  return str(name)


def _unpacked(others: Any) -> list[tuple[str, np.ndarray]]:
  if not isinstance(others, dict) or len(others) > _MAX_OTHERS:
    raise errors.CorruptBitstreamError(
      "The metadata hold no arrays where they should: the file is damaged."
    )
  found, total = [], 0
  for name, packed in others.items():
    values = json_arrays.unpack(packed)
    total += values.size
    if total > json_arrays.MAX_VALUES:
      raise errors.CorruptBitstreamError(
        f"The metadata hold more than {json_arrays.MAX_VALUES} values."
      )
    flag = packed.get("bool")
    found.append((_key(name), values.astype(bool) if flag else values))
  return found
