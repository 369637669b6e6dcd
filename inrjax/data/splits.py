"""Which files of a folder are for training, which are held out.

In this order: a list that came with the files; the folders `train`, `val` and
`test`; and where there is neither, every tenth file.
"""

import os
import pathlib
import warnings
from collections.abc import Sequence

from inrjax.data import images, streams

_FOLDERS = {
  "train": ("train",),
  "validation": ("validation", "val", "valid"),
  "test": ("test",),
}
# Of every ten: the first is for testing, the second for validation.
_PERIOD = 10
_PLACES = {"test": (0,), "validation": (1,), "train": tuple(range(2, _PERIOD))}
_UNITS = ("file", "folder")
_NAMED_AT_ONCE = 5


class EmptyFolderWarning(UserWarning):
  """A folder (of a class, say) has no image in it."""


def split_files(
  root: str | os.PathLike[str],
  split: str,
  *,
  unit: str = "file",
  listing: str | None = None,
) -> list[pathlib.Path]:
  """The image files of a split, found recursively.

  The list, where there is one, decides alone. Else folders `train`, `val` (or
  `validation`, `valid`) and `test` right below the root are taken at their
  word; where only one of the last two is there it serves for both, as
  Imagenette's `val` does. Any other folder is split by the order of the names:
  of every ten the first is for testing, the second for validation and the rest
  for training.

  Args:
    root: the folder.
    split: "train", "validation" or "test".
    unit: what is counted where names decide: "file", or "folder", which keeps
      the files of one folder (one person's, say) together.
    listing: name of a text file that the root may hold, with a file's name and
      0 (training), 1 (validation) or 2 (test) on each line, such as CelebA's
      `list_eval_partition.txt`. Files it does not name are left out.

  Returns:
    Paths in sorted order. Folders without an image are named in an
    `EmptyFolderWarning`.

  Raises:
    ImageError: if there is no folder, no image in it, too few to split, or the
      list cannot be read.
    ValueError: for another split or unit.
  """
  if split not in streams.SPLITS:
    raise ValueError(f"split must be one of {streams.SPLITS}, got {split!r}.")
  if unit not in _UNITS:
    raise ValueError(f"unit must be one of {_UNITS}, got {unit!r}.")
  folder = pathlib.Path(root)
  if listing is not None and (folder / listing).is_file():
    return _listed(folder, folder / listing, split)
  if (folder / "train").is_dir():
    return _all_files(_split_folder(folder, split))
  return _every_tenth(folder, split, unit)


def _listed(
  folder: pathlib.Path, listing: pathlib.Path, split: str
) -> list[pathlib.Path]:
  number = str(streams.SPLITS.index(split))
  try:
    text = listing.read_text(encoding="utf-8")
  except (OSError, UnicodeDecodeError) as error:
    raise images.ImageError(f"Cannot read {listing}: {error}") from error
  rows = [line.split() for line in text.splitlines() if line.strip()]
  for row in rows:
    if len(row) != 2 or row[1] not in ("0", "1", "2"):
      raise images.ImageError(
        f"{listing}: {' '.join(row)!r} is not a file's name and 0, 1 or 2."
      )
  names = {name for name, value in rows if value == number}
  chosen = [path for path in _all_files(folder) if path.name in names]
  if not chosen:
    raise images.ImageError(
      f"None of the {len(names)} files that {listing} has for {split} is "
      f"below {folder}."
    )
  return chosen


def _split_folder(folder: pathlib.Path, split: str) -> pathlib.Path:
  other = {"train": "train", "validation": "test", "test": "validation"}[split]
  names = dict.fromkeys(_FOLDERS[split] + _FOLDERS[other])
  for name in names:
    if (folder / name).is_dir():
      return folder / name
  raise images.ImageError(
    f"{folder} has a folder train and nothing held out; expected one of "
    f"{', '.join(names)} beside it."
  )


def _every_tenth(
  folder: pathlib.Path, split: str, unit: str
) -> list[pathlib.Path]:
  paths = _all_files(folder)
  keys = paths if unit == "file" else [path.parent for path in paths]
  order = {key: place for place, key in enumerate(dict.fromkeys(keys))}
  if len(order) < len(_PLACES):
    raise images.ImageError(
      f"{folder} has images in {len(order)} {unit}(s), too few to split in "
      f"three; add some, or give it folders train, val and test."
    )
  places = _PLACES[split]
  return [
    path
    for path, key in zip(paths, keys, strict=True)
    if order[key] % _PERIOD in places
  ]


def _all_files(root: pathlib.Path) -> list[pathlib.Path]:
  """Every image file below a folder; a warning names folders without one."""
  paths = images.find_images(root)
  if not paths:
    raise images.ImageError(
      f"No image below {root}; expected files ending in "
      f"{', '.join(sorted(images.EXTENSIONS))}."
    )
  _warn_of_empty_folders(root, paths)
  return paths


def _warn_of_empty_folders(
  root: pathlib.Path, paths: Sequence[pathlib.Path]
) -> None:
  used = {root}
  for folder in {path.parent for path in paths}:
    used.update(folder.parents, [folder])
  empty = []
  for at, names, _ in os.walk(root):
    here = [pathlib.Path(at, name) for name in sorted(names) if name[0] != "."]
    empty += [folder for folder in here if folder not in used]
    # What lies inside an empty folder is not worth a word of its own.
    names[:] = [folder.name for folder in here if folder in used]
  if not empty:
    return
  named = [str(folder.relative_to(root)) for folder in empty[:_NAMED_AT_ONCE]]
  if len(empty) > len(named):
    named.append(f"{len(empty) - len(named)} more")
  warnings.warn(
    f"No image in {len(empty)} folder(s) below {root}: {', '.join(named)}. "
    "Going on without.",
    EmptyFolderWarning,
    stacklevel=4,
  )
