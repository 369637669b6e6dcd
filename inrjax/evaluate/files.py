"""Writing results so that a reader never meets half of one."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
  """Gives a temporary path that takes the place of `path` on success.

  The temporary file lies in the folder of `path`, so that the final
  `os.replace` is atomic. When the body raises, it is removed and `path` stays
  as it was.

  Args:
    path: the file to write; missing parent folders are made.

  Yields:
    Path of an empty file with the suffix of `path`.
  """
  target = pathlib.Path(path)
  target.parent.mkdir(parents=True, exist_ok=True)
  handle, name = tempfile.mkstemp(
    dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix
  )
  os.close(handle)
  temporary = pathlib.Path(name)
  try:
    yield temporary
    # mkstemp makes private files; results are as readable as any other file.
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)
    os.replace(temporary, target)
  finally:
    temporary.unlink(missing_ok=True)
