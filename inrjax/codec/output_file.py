"""Writing a file, or a folder of files, whole or not at all."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping

from inrjax.codec import errors


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
  """Writes a file under a temporary name beside it, then renames.

  A reader sees the old file or the new one, whatever happens in between. A
  symbolic link stays, and the file it points to is replaced.

  Args:
    path: where to write.
    data: the whole content.

  Raises:
    OutputFileError: if that is impossible; names the path and the reason.
  """
  target = os.path.realpath(path)
  # Renaming over a device, such as /dev/null, would destroy it.
  if os.path.lexists(target) and not os.path.isfile(target):
    raise errors.OutputFileError(
      f"cannot write {os.fspath(path)}: it is not a regular file, choose"
      " another output"
    )
  folder, name = os.path.split(target)
  temporary = os.path.join(folder, f".{name[:80]}.{secrets.token_hex(6)}.tmp")
  try:
    try:
      with open(temporary, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
      os.replace(temporary, target)
    finally:  # an interrupt, too, leaves nothing behind
      if os.path.exists(temporary):
        os.unlink(temporary)
  except OSError as error:
    raise errors.OutputFileError(
      f"cannot write {os.fspath(path)}: {error.strerror or error}; choose"
      " another folder or make room"
    ) from error


def write_folder_atomically(
  path: str | os.PathLike[str], files: Mapping[str, bytes]
) -> None:
  """Makes a folder with files in it under a temporary name, then renames.

  Args:
    path: the folder, new or empty.
    files: contents by name.

  Raises:
    OutputFileError: if that is impossible; names the path and the reason.
  """
  check_folder(path)
  parent, name = os.path.split(os.path.realpath(path))
  try:
    temporary = tempfile.mkdtemp(dir=parent, prefix=f".{name[:80]}.")
    try:
      for file_name, data in files.items():
        write_atomically(os.path.join(temporary, file_name), data)
      mask = os.umask(0)
      os.umask(mask)
      os.chmod(temporary, 0o777 & ~mask)  # mkdtemp makes private folders
      os.replace(temporary, os.path.join(parent, name))
    finally:  # an interrupt, too, leaves nothing behind
      shutil.rmtree(temporary, ignore_errors=True)
  except OSError as error:
    raise errors.OutputFileError(
      f"cannot write {os.fspath(path)}: {error.strerror or error}; choose"
      " another folder or make room"
    ) from error


def check_file(path: str | os.PathLike[str]) -> None:
  """Finds out, before the work is done, whether a file could be written.

  Args:
    path: where it is to be written.

  Raises:
    OutputFileError: if it could not; names the path and the reason.
  """
  target = os.path.realpath(path)
  if os.path.lexists(target) and not os.path.isfile(target):
    raise errors.OutputFileError(
      f"cannot write {os.fspath(path)}: it is not a regular file, choose"
      " another output"
    )
  _check_parent(path)


def check_folder(path: str | os.PathLike[str]) -> None:
  """Finds out whether `write_folder_atomically` could write a folder.

  Args:
    path: where it is to be written.

  Raises:
    OutputFileError: if it could not; names the path and the reason.
  """
  if os.path.lexists(path):
    if not os.path.isdir(path) or os.listdir(path):
      raise errors.OutputFileError(
        f"cannot write {os.fspath(path)}: several files need a new or an empty"
        " folder"
      )
  _check_parent(path)


def _check_parent(path: str | os.PathLike[str]) -> None:
  try:
    # A file without a name. Asking for permissions would say too little: root
    # has them all, and the file system may still be read-only.
    with tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path))):
      pass
  except OSError as error:
    raise errors.OutputFileError(
      f"cannot write {os.fspath(path)}: {error.strerror or error}; choose"
      " another folder"
    ) from error
