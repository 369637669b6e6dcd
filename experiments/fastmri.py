"""Volumes: fastMRI's scans, or a folder of NIfTI and NumPy files."""

import functools
import pathlib
from typing import Any

from experiments import build, launch, signals
from inrjax import data


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  num_train: int,
  num_test: int,
  seed: int,
  test_files: tuple[str, ...],
  percentile: float | None,
  box: tuple[int, int, int] | None,
) -> signals.SignalSource:
  """Volumes of a split; those for testing are for validation too.

  Args:
    split: "train", "validation" or "test".
    data_dir: fastMRI's folder of .h5 files, or a folder of .nii, .nii.gz, .npy
      and .npz volumes.
    num_train: of fastMRI's scans so many are for training.
    num_test: so many others are for testing.
    seed: of that division.
    test_files: names of the volumes for testing in any other folder; the rest
      is for training.
    percentile: values are clipped to the range from the smallest of the
      training volumes to the one that this share lies at or below, in percent,
      which becomes the model's range where its config has none; None keeps each
      volume's own.
    box: what is tested of a volume is its middle, of so many voxels; None tests
      all of it.
  """
  if data_dir is None:
    raise SystemExit("--data_dir: name the folder of volumes.")
  train, test = _divided(data_dir, num_train, num_test, seed, tuple(test_files))
  source = train if split == "train" else test
  return signals.Volumes(
    source,
    range(len(source)),
    value_range=_value_range(train, percentile),
    box=None if split == "train" else box,
  )


@functools.cache
def _divided(
  folder: pathlib.Path,
  num_train: int,
  num_test: int,
  seed: int,
  test_files: tuple[str, ...],
) -> tuple[Any, Any]:
  """The volumes below a folder for training, and those for testing.

  Each is a source of its own: where a volume is broken, the next one of the
  same split stands in for it.
  """
  with signals.reading():
    if any(folder.rglob("*.h5")):
      scans = data.FastMRIFolder(folder)
      with build.of_config():
        train, test = data.divide(
          range(len(scans)), (num_train, num_test), seed=seed
        )
      return scans.part(_numbers(train)), scans.part(_numbers(test))
    volumes = data.VolumeFolder(folder)
  names = [path.name for path in volumes.paths]
  places = signals.divided_by_name(names, test_files, folder)
  return volumes.part(places[0]), volumes.part(places[1])


@functools.cache
def _value_range(
  source: Any, percentile: float | None
) -> tuple[float, float] | None:
  """The range of volumes, from two readings of all of them."""
  if percentile is None:
    return None
  with signals.reading():
    return data.value_range(source, percentile=percentile)


def _numbers(part: data.Part) -> tuple[int, ...]:
  return tuple(int(part[i]) for i in range(len(part)))


if __name__ == "__main__":
  launch.main(load, signals.Run)
