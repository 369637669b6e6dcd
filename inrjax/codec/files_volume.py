"""Volumes from and to NIfTI files (through nibabel).

The whole header is kept (affine, spacing, units, intent, description), except
for the slope and intercept, which are applied: the values written are those
that `get_fdata` gave. 64-bit integers come back as such.
"""

import base64
import io
import os
import pathlib
import zlib
from types import ModuleType
from typing import Any

import numpy as np

from inrjax.codec import errors, kinds

_HEADER_BYTES = {348: "Nifti1", 540: "Nifti2"}


def read(path: str | os.PathLike[str]) -> kinds.Signal:
  """A volume, or all volumes of a file with more axes.

  Args:
    path: a .nii or .nii.gz file.

  Returns:
    `[X, Y, Z, 1]` of three axes, `[..., T, X, Y, Z, 1]` of more.

  Raises:
    UnsupportedSignalError: if the file cannot be read, or holds no volume of
      numbers, or integers of more than 32 bits.
    ImportError: if nibabel is not installed.
  """
  nibabel = _nibabel(path)
  try:
    image = nibabel.load(pathlib.Path(path))
    if type(image).__name__ not in ("Nifti1Image", "Nifti2Image"):
      raise ValueError(f"it is a {type(image).__name__}, not NIfTI")
    values = np.asanyarray(image.dataobj)
    header = image.header.copy()
  except FileNotFoundError:
    raise
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
    raise errors.UnsupportedSignalError(
      f"Cannot read {os.fspath(path)}: {error}"
    ) from error
  if values.ndim < 3 or values.dtype.kind not in "uif" or not values.size:
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} holds {values.dtype} {list(values.shape)}, no volume "
      "of numbers."
    )
  order = [*range(values.ndim - 1, 2, -1), 0, 1, 2]
  values = values.transpose(order)[..., np.newaxis]
  try:
    values, wider = kinds.narrowed(np.ascontiguousarray(values))
  except errors.UnsupportedSignalError as error:
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)}: {error}"
    ) from error
  header.set_data_dtype(values.dtype)
  header.set_slope_inter(1, 0)
  extensions = [
    [int(e.get_code()), base64.b64encode(_content(e)).decode()]
    for e in header.extensions
  ]
  metadata: dict[str, Any] = {
    "header": base64.b64encode(header.binaryblock).decode(),
    **wider,
  }
  if extensions:
    metadata["extensions"] = extensions
  return kinds.Signal("volume", values, metadata)


def write(signal: kinds.Signal, suffix: str) -> bytes:
  """A volume as a file.

  Args:
    signal: with the metadata that `read` gives; without, its affine is the
      identity.
    suffix: .nii or .nii.gz.

  Returns:
    The file's bytes, the same for the same volume.

  Raises:
    CorruptBitstreamError: for metadata of no such volume.
    ImportError: if nibabel is not installed.
  """
  nibabel = _nibabel("volume")
  try:
    values = kinds.restored(signal)[..., 0]
    lead = values.ndim - 3
    order = [lead, lead + 1, lead + 2, *range(lead - 1, -1, -1)]
    header = _header(nibabel, signal.metadata, values.dtype)
    # The affine is the header's own; None keeps it.
    cls = (
      nibabel.Nifti2Image
      if isinstance(header, nibabel.Nifti2Header)
      else nibabel.Nifti1Image
    )
    image = cls(values.transpose(order), None, header)
    for code, content in signal.metadata.get("extensions", []):
      image.header.extensions.append(
        nibabel.nifti1.Nifti1Extension(code, base64.b64decode(content))
      )
    data: bytes = image.to_bytes()
  except (
    ValueError,
    TypeError,
    KeyError,
    LookupError,
    AttributeError,
    OverflowError,
    nibabel.filebasedimages.ImageFileError,
    nibabel.spatialimages.HeaderDataError,
  ) as error:
    raise errors.CorruptBitstreamError(
      f"The metadata make no NIfTI file ({error}): the file is damaged."
    ) from error
  return _gzipped(data) if suffix == ".nii.gz" else data


def _header(nibabel: ModuleType, metadata: Any, dtype: np.dtype[Any]) -> Any:
  if "header" in metadata:
    block = base64.b64decode(metadata["header"], validate=True)
    if len(block) not in _HEADER_BYTES:
      raise ValueError(f"a header of {len(block)} bytes")
    cls = getattr(nibabel, f"{_HEADER_BYTES[len(block)]}Header")
    header = cls(block, check=True)
  else:
    header = nibabel.Nifti1Header()
  header.set_data_dtype(dtype)
  return header


def _content(extension: Any) -> bytes:
  """The bytes of a header extension."""
  out = io.BytesIO()
  extension.write_to(out, False)
  return out.getvalue()[8:]


def _gzipped(data: bytes) -> bytes:
  # With the time of day in it, the same volume would give other bytes.
  deflate = zlib.compressobj(9, wbits=31)
  return deflate.compress(data) + deflate.flush()


def _nibabel(what: str | os.PathLike[str]) -> ModuleType:
  try:
    # Optional, and slow to import.
    import nibabel  # type: ignore[import-untyped,import-not-found,unused-ignore]
  except ImportError as error:
    raise ImportError(
      f"{os.fspath(what)}: NIfTI needs nibabel: pip install 'inrjax[volumes]'."
    ) from error
  module: ModuleType = nibabel
  return module
