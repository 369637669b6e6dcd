"""Which files of a folder are signals of one kind."""

import os
import pathlib
from collections.abc import Collection


def find_files(
  root: str | os.PathLike[str],
  suffixes: Collection[str],
  *,
  error: type[Exception] = ValueError,
) -> list[pathlib.Path]:
  """Every file with one of some suffixes, in an order that is always the same.

  Args:
    root: a folder, searched recursively.
    suffixes: in lower case, such as ".wav" or ".nii.gz"; files have them in any
      case.
    error: what to raise.

  Returns:
    At least one path, sorted by their parts relative to `root`; hidden files
    and what lies in hidden folders are left out.

  Raises:
    Exception: of the type `error`, if there is no folder or no such file.
  """
  folder = pathlib.Path(root)
  expected = ", ".join(sorted(suffixes))
  if not folder.is_dir():
    raise error(f"{folder} is not a folder; expected one of {expected} files.")
  found = [
    path
    for path in folder.rglob("*")
    if path.name.lower().endswith(tuple(suffixes))
    and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    and path.is_file()
  ]
  if not found:
    raise error(f"No file below {folder} ends in {expected}.")
  return sorted(found, key=lambda path: path.relative_to(folder).parts)
