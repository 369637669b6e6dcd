"""The `.inrmodel` file: arrays and a JSON configuration, without pickle.

The file is a numpy `.npz` archive with one more entry, `model.json`, which
holds the format's version, the configuration, the names of the bfloat16 arrays
(stored as their 16 bits) and the model id. The *model id* is a SHA-256 over
the content, not over the archive, so another compression of the same content
is the same model; it is recomputed at loading, which notices any damage that
the archive's own checksums miss.
"""

import hashlib
import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from inrjax.codec import errors, output_file

FORMAT_VERSION = 1
# Most bytes that the entries of a model file may take when decompressed.
DEFAULT_MAX_BYTES = 1 << 30

_JSON_ENTRY = "model.json"
_MAX_JSON_BYTES = 1 << 24
_MAX_NAME_LENGTH = 400
_EPOCH = (1980, 1, 1, 0, 0, 0)
_END_RECORD_BYTES = 22
_DTYPES = frozenset(
  ("|b1", "|i1", "|u1")
  + tuple(f"<{kind}{size}" for kind in "iu" for size in (2, 4, 8))
  + ("<f2", "<f4", "<f8")
)
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
# What numpy writes; parsing no more than that leaves nothing to attack.
_NPY_HEADER = re.compile(
  rb"\{'descr': '([<|]\w\d)', 'fortran_order': False,"
  rb" 'shape': \(((?:\d{1,15}, ?)*(?:\d{1,15})?)\), \} *\n"
)
_ZIP_ERRORS = (
  zipfile.BadZipFile,
  zlib.error,
  EOFError,
  NotImplementedError,  # an unknown compression
  OSError,  # a position before the start
  UnicodeDecodeError,
  ValueError,
)


class ModelFile(NamedTuple):
  """The content of a model file.

  Attributes:
    config: whatever JSON holds (so tuples have become lists).
    arrays: by name; see `unflatten` for trees.
    model_id: SHA-256 of the content, 64 hexadecimal digits.
  """

  config: dict[str, Any]
  arrays: dict[str, np.ndarray]
  model_id: str


def save_model(
  path: str | os.PathLike[str],
  config: Mapping[str, Any],
  arrays: Mapping[str, np.ndarray],
) -> str:
  """Writes a model file, whole or not at all.

  Args:
    path: where to.
    config: JSON values.
    arrays: boolean, integer or floating-point arrays by name.

  Returns:
    The model id.

  Raises:
    OutputFileError: if the file cannot be written.
    ValueError: if an array or the configuration cannot be stored.
  """
  data, model_id = to_bytes(config, arrays)
  output_file.write_atomically(path, data)
  return model_id


def load_model(
  path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES
) -> ModelFile:
  """Reads and verifies a model file.

  Args:
    path: where from.
    max_bytes: most bytes that the content may declare.

  Returns:
    The model.

  Raises:
    CorruptBitstreamError: if the file is truncated, damaged or hostile.
    WrongModelError: if it is of another format version.
    OSError: if it cannot be read.
  """
  with open(path, "rb") as file:
    size = os.fstat(file.fileno()).st_size
    if size > max_bytes:
      raise errors.CorruptBitstreamError(
        f"{os.fspath(path)} has {size} bytes, {max_bytes} are allowed: raise"
        " max_bytes if you trust it"
      )
    data = file.read()
  try:
    return from_bytes(data, max_bytes=max_bytes)
  except errors.CodecError as error:
    raise type(error)(f"{os.fspath(path)}: {error}") from error


def to_bytes(
  config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> tuple[bytes, str]:
  """Builds a model file in memory.

  Args:
    config: as for `save_model`.
    arrays: as for `save_model`.

  Returns:
    The file's bytes, the same for the same content, and the model id.

  Raises:
    ValueError: as `save_model`.
  """
  stored = {name: _stored(name, arrays[name]) for name in sorted(arrays)}
  bfloat16 = [n for n in stored if arrays[n].dtype == ml_dtypes.bfloat16]
  model_id = _content_id(config, stored, bfloat16)
  document = {
    "format_version": FORMAT_VERSION,
    "model_id": model_id,
    "bfloat16": bfloat16,
    "config": config,
  }
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, "w") as archive:
    _add(archive, _JSON_ENTRY, _canonical_json(document))
    for name, array in stored.items():
      entry = io.BytesIO()
      np.lib.format.write_array(entry, array, (1, 0), allow_pickle=False)
      _add(archive, f"{name}.npy", entry.getvalue())
  return buffer.getvalue(), model_id


def from_bytes(data: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES) -> ModelFile:
  """Reads and verifies a model file in memory; raises like `load_model`."""
  entries = _read_entries(data, max_bytes)
  document = _parse_json(entries.pop(_JSON_ENTRY))
  stored = {
    name.removesuffix(".npy"): _parse_npy(name, entry)
    for name, entry in entries.items()
  }
  config, bfloat16 = document["config"], document["bfloat16"]
  for name in bfloat16:
    if name not in stored or stored[name].dtype != np.uint16:
      raise errors.CorruptBitstreamError(
        f"no 16-bit array {name!r} in the model file: it is damaged"
      )
  model_id = _content_id(config, stored, bfloat16)
  if model_id != document["model_id"]:
    raise errors.CorruptBitstreamError(
      f"the model's content has the id {model_id[:16]}, its file says"
      f" {str(document['model_id'])[:16]}: it was changed or damaged, fetch it"
      " again"
    )
  arrays = {
    name: array.view(ml_dtypes.bfloat16) if name in bfloat16 else array
    for name, array in stored.items()
  }
  return ModelFile(config, arrays, model_id)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
  """Flattens nested dictionaries, such as Haiku's, into arrays by name.

  The keys of a path are joined by slashes; a slash or a percent sign within a
  key, as in Haiku's module names, is written `%2F` or `%25`.

  Args:
    tree: nested mappings with arrays as leaves, no mapping empty.
    prefix: a first key put before all names, if not empty.

  Returns:
    The leaves, as NumPy arrays, by name.

  Raises:
    ValueError: if a key is empty or no string, or a mapping is empty.
  """
  leaves: dict[str, np.ndarray] = {}
  path = f"{_escape(prefix)}/" if prefix else ""
  for key, value in tree.items():
    name = path + _escape(key)
    if not isinstance(value, Mapping):
      leaves[name] = np.asarray(value)
      continue
    if not value:
      raise ValueError(f"{name!r} is an empty tree, which has no name: drop it")
    leaves |= {f"{name}/{k}": v for k, v in flatten(value).items()}
  return leaves


def unflatten(
  arrays: Mapping[str, np.ndarray], prefix: str = ""
) -> dict[str, Any]:
  """The inverse of `flatten`.

  Args:
    arrays: by name; those whose names do not begin with the prefix are left
      out.
    prefix: as for `flatten`.

  Returns:
    Nested dictionaries.

  Raises:
    CorruptBitstreamError: if an array's name is also the path of another.
  """
  start = f"{_escape(prefix)}/" if prefix else ""
  tree: dict[str, Any] = {}
  for name, array in arrays.items():
    if not name.startswith(start):
      continue
    *path, last = [
      key.replace("%2F", "/").replace("%25", "%")
      for key in name[len(start) :].split("/")
    ]
    node = tree
    for key in path:
      node = node.setdefault(key, {})
      if not isinstance(node, dict):
        break
    if not isinstance(node, dict) or last in node:
      raise errors.CorruptBitstreamError(
        f"the model file holds {name!r} both as an array and as a folder: it is"
        " damaged"
      )
    node[last] = array
  return tree


def _escape(key: Any) -> str:
  if not isinstance(key, str) or not key:
    raise ValueError(f"a key must be a string and not empty, got {key!r}")
  return key.replace("%", "%25").replace("/", "%2F")


def _stored(name: str, array: np.ndarray) -> np.ndarray:
  """The array as it lies in the file: little-endian, in C order."""
  if not _is_name(name):
    raise ValueError(
      f"an array's name must be printable ASCII of at most {_MAX_NAME_LENGTH}"
      f" characters, got {name!r}"
    )
  array = np.asarray(array)
  if array.dtype == ml_dtypes.bfloat16:
    array = array.view(np.uint16)
  array = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
  if array.dtype.str not in _DTYPES:
    raise ValueError(
      f"array {name!r} is of type {array.dtype}: convert it to booleans,"
      " integers or floats"
    )
  return array


def _is_name(name: str) -> bool:
  return (
    0 < len(name) <= _MAX_NAME_LENGTH and name.isascii() and name.isprintable()
  )


def _canonical_json(value: Any) -> bytes:
  text = json.dumps(
    value, sort_keys=True, separators=(",", ":"), allow_nan=False
  )
  return text.encode("ascii")


def _content_id(
  config: Mapping[str, Any],
  stored: Mapping[str, np.ndarray],
  bfloat16: list[str],
) -> str:
  """SHA-256 of the configuration and of every array with its name and type."""
  listing = [
    [name, array.dtype.str, list(array.shape)]
    for name, array in sorted(stored.items())
  ]
  head = _canonical_json([FORMAT_VERSION, config, listing, sorted(bfloat16)])
  digest = hashlib.sha256(len(head).to_bytes(8, "big") + head)
  for _, array in sorted(stored.items()):
    digest.update(array.tobytes())
  return digest.hexdigest()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
  entry = zipfile.ZipInfo(name, _EPOCH)
  entry.create_system = 3  # as on Unix, wherever this runs
  entry.external_attr = 0o644 << 16
  archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)


def _read_entries(data: bytes, max_bytes: int) -> dict[str, bytes]:
  """The entries of an archive, after its declared sizes have been checked."""
  try:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
      infos = archive.infolist()
      names = [info.filename for info in infos]
      _check_listing(data, infos, max_bytes)
      # Reading stops at the declared size, whatever the compressed data hold.
      contents = [archive.read(info) for info in infos]
  except errors.CodecError:
    raise
  except _ZIP_ERRORS as error:
    raise errors.CorruptBitstreamError(
      f"not a model file, or truncated or damaged ({error}): fetch it again"
    ) from error
  return dict(zip(names, contents, strict=True))


def _check_listing(
  data: bytes, infos: list[zipfile.ZipInfo], max_bytes: int
) -> None:
  names = [info.filename for info in infos]
  if _JSON_ENTRY not in names:
    raise errors.CorruptBitstreamError(
      f"the archive holds no {_JSON_ENTRY}: it is not a model file"
    )
  others = [name for name in names if name != _JSON_ENTRY]
  plain = all(
    info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    and not info.flag_bits & 1  # not encrypted
    and _is_name(info.filename)
    for info in infos
  )
  ends = data[-_END_RECORD_BYTES:].startswith(b"PK\5\6")
  if (
    not plain
    or not ends
    or len(set(names)) != len(names)
    or not all(name.endswith(".npy") for name in others)
  ):
    raise errors.CorruptBitstreamError(
      "the archive holds something that no model file does: it is damaged, or"
      " something was added to it"
    )
  declared = sum(info.file_size for info in infos)
  document = infos[names.index(_JSON_ENTRY)].file_size
  if declared > max_bytes or document > _MAX_JSON_BYTES:
    raise errors.CorruptBitstreamError(
      f"the model file declares {declared} bytes, {document} of them"
      f" configuration; {max_bytes} and {_MAX_JSON_BYTES} are allowed: raise"
      " max_bytes if you trust it"
    )


def _parse_json(content: bytes) -> dict[str, Any]:
  try:
    document = json.loads(content)
    _canonical_json(document)  # refuses infinities, which json reads
  except (ValueError, RecursionError) as error:
    raise errors.CorruptBitstreamError(
      f"the model file's {_JSON_ENTRY} cannot be read ({error}): it is damaged"
    ) from error
  if not isinstance(document, dict) or "format_version" not in document:
    raise errors.CorruptBitstreamError(
      f"the model file's {_JSON_ENTRY} names no format version: it is damaged"
    )
  version = document["format_version"]
  if version != FORMAT_VERSION:
    raise errors.WrongModelError(
      f"the model file is of format version {version!r}, this program reads"
      f" version {FORMAT_VERSION}: use the matching program, or export the"
      " model again"
    )
  bfloat16 = document.get("bfloat16")
  if (
    not isinstance(document.get("config"), dict)
    or not isinstance(bfloat16, list)
    or not all(isinstance(name, str) for name in bfloat16)
    or "model_id" not in document
  ):
    raise errors.CorruptBitstreamError(
      f"the model file's {_JSON_ENTRY} lacks a field: it is damaged"
    )
  return document


def _parse_npy(name: str, entry: bytes) -> np.ndarray:
  """Reads one array; its declared shape must match the bytes at hand."""
  start = len(_NPY_MAGIC) + 2
  stop = start + int.from_bytes(entry[len(_NPY_MAGIC) : start], "little")
  match = _NPY_HEADER.fullmatch(entry[start:stop])
  if not entry.startswith(_NPY_MAGIC) or match is None:
    raise errors.CorruptBitstreamError(
      f"{name!r} in the model file is not a plain array: it is damaged or"
      " hostile"
    )
  code = match[1].decode()
  shape = tuple(int(side) for side in match[2].replace(b",", b" ").split())
  if code in _DTYPES and len(shape) <= 32:
    values = np.frombuffer(entry, np.uint8, offset=stop).copy()
    num_bytes = np.dtype(code).itemsize
    for side in shape:
      num_bytes *= side
    if num_bytes == values.size:
      return values.view(code).reshape(shape)
  raise errors.CorruptBitstreamError(
    f"{name!r} in the model file declares {code} {list(shape)}, which is not"
    " what its bytes hold: it is damaged or hostile"
  )
