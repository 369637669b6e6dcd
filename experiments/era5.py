"""ERA5 2 m temperature: a netCDF file, or Dupont et al.'s folder of .npz."""

import pathlib

from experiments import launch, signals
from inrjax import data


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  variable: str,
  stride: int,
  held_out: int,
) -> signals.SignalSource:
  """Fields of a split.

  Args:
    split: "train", "validation" or "test".
    data_dir: a netCDF file or Zarr folder, or a folder with COIN++'s folders
      `train`, `val` and `test` of .npz files.
    variable: its name in netCDF; .npz files have `temperature`.
    stride: every how many rows and columns to take of netCDF: 16 makes 46 x 90
      of ERA5's 721 x 1440, 4 makes 181 x 360.
    held_out: of a netCDF file the last so many fields are for testing.
  """
  if data_dir is None:
    raise SystemExit("--data_dir: name the file or folder of fields.")
  with signals.reading():
    if (data_dir / "train").is_dir():
      part = {"validation": "val"}.get(split, split)
      globes = data.GlobeFolder(data_dir / part)
      indices = range(len(globes))
      return signals.Fields(globes, indices, "t2m", "K")
    fields = data.FieldSource(data_dir, variable, stride=stride)
    # Training goes without the last ones, which are alike.
    end = max(1, len(fields) - held_out)
    indices = range(end) if split == "train" else range(end, len(fields))
    return signals.Fields(fields, indices, variable, fields.unit)


if __name__ == "__main__":
  launch.main(load, signals.Run)
