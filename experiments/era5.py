"""Temperature on the globe: netCDF files, or Dupont et al.'s folder of .npz."""

import pathlib
import warnings
from collections.abc import Sequence

from experiments import launch, signals
from inrjax import data


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  variable: str,
  stride: int,
  held_out: int,
  regrid: tuple[int, int] | None,
) -> signals.SignalSource:
  """Fields of a split.

  Args:
    split: "train", "validation" or "test".
    data_dir: a netCDF file or Zarr folder, or a folder of netCDF files, or one
      with COIN++'s folders `train`, `val` and `test` of .npz files.
    variable: its name in netCDF, or several with commas, of which each file has
      one; .npz files have `temperature`.
    stride: every how many rows and columns to take of netCDF: 16 makes 46 x 90
      of ERA5's 721 x 1440, 4 makes 181 x 360.
    held_out: of each netCDF file the last so many fields are for testing.
    regrid: rows and columns of one grid of the globe that fields are put on;
      several netCDF files need it.

  Of COIN++'s folders each is a split, its fields on the grid they have:
  variable, stride and held_out are for netCDF, and a warning says that they are
  not used.
  """
  if data_dir is None:
    raise SystemExit("--data_dir: name the file or folder of fields.")
  with signals.reading():
    if (data_dir / "train").is_dir():
      part = {"validation": "val"}.get(split, split)
      globes = data.GlobeFolder(data_dir / part)
      _warn_of_unused(data_dir, variable, stride, held_out)
      found: data.GlobeFolder | data.RegriddedFields = globes
      if regrid is not None:
        found = data.RegriddedFields([globes], regrid)
      return signals.Fields(found, range(len(found)), "t2m", "K")
    names = variable.split(",")
    files = sorted(data_dir.glob("*.nc")) if data_dir.is_dir() else []
    opened = [_open(path, names, stride) for path in files or [data_dir]]
    parts = [_part(split, len(fields), held_out) for fields in opened]
    first = opened[0]
    if regrid is None:
      if len(opened) > 1:
        raise data.FieldError(
          f"{data_dir} has {len(opened)} files; set data.source.regrid to rows "
          "and columns of one grid, or name one of them."
        )
      return signals.Fields(first, parts[0], first.variable, first.unit)
    units = {fields.unit for fields in opened}
    if len(units) > 1:
      raise data.FieldError(f"The files of {data_dir} have units {units}.")
    grid = data.RegriddedFields(opened, regrid, indices=parts)
    return signals.Fields(grid, range(len(grid)), first.variable, first.unit)


def _warn_of_unused(
  folder: pathlib.Path, variable: str, stride: int, held_out: int
) -> None:
  warnings.warn(
    f"{folder} has a folder train: all .npz files of each split are taken as "
    f"they are, and data.source.variable={variable}, stride={stride} and "
    f"held_out={held_out}, which are for netCDF, are not used.",
    stacklevel=3,
  )


def _open(
  path: pathlib.Path, names: Sequence[str], stride: int
) -> data.FieldSource:
  """The variable of a file that has the first of these names it has."""
  for name in names[:-1]:
    try:
      return data.FieldSource(path, name, stride=stride)
    except data.FieldError:
      continue
  return data.FieldSource(path, names[-1], stride=stride)


def _part(split: str, count: int, held_out: int) -> range:
  # Training goes without the last ones, which are alike.
  end = max(1, count - held_out)
  return range(end) if split == "train" else range(end, count)


if __name__ == "__main__":
  launch.main(load, signals.Run)
