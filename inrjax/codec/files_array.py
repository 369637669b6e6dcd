"""Arrays from and to .npy files; nothing is unpickled."""

import io
import os

import numpy as np

from inrjax.codec import errors, kinds


def read(path: str | os.PathLike[str]) -> kinds.Signal:
  """An array as it is; the model says what its axes are.

  Args:
    path: an .npy file.

  Raises:
    UnsupportedSignalError: if the file cannot be read, or holds no numbers.
  """
  try:
    # NumPy leaves a broken file open if it opens it itself.
    with open(path, "rb") as stream:
      values = np.lib.format.read_array(stream, allow_pickle=False)
  except FileNotFoundError:
    raise
  except (OSError, ValueError, EOFError, SyntaxError, MemoryError) as error:
    raise errors.UnsupportedSignalError(
      f"Cannot read {os.fspath(path)}: {error}"
    ) from error
  if values.dtype.kind not in "uif" or not values.ndim:
    raise errors.UnsupportedSignalError(
      f"{os.fspath(path)} holds {values.dtype} {list(values.shape)}; give an "
      "array of integers or floats."
    )
  return kinds.Signal("array", values.astype(values.dtype.newbyteorder("=")))


def write(signal: kinds.Signal) -> bytes:
  """An array as the bytes of an .npy file."""
  out = io.BytesIO()
  np.save(out, np.ascontiguousarray(signal.values), allow_pickle=False)
  return out.getvalue()
