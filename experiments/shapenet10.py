"""Occupancy grids: ShapeNet's .binvox files, or train.npz and test.npz."""

import functools
import pathlib
from collections.abc import Sequence

import numpy as np

from experiments import build, launch, signals
from inrjax import data


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  side: int,
  threshold: float,
  classes: tuple[str, ...] | None,
  num_variants: int,
  test_share: float,
  seed: int,
) -> signals.SignalSource:
  """Grids of a split; those for testing are for validation too.

  Signals are in a random order, so that the first ones show different shapes.

  Args:
    split: "train", "validation" or "test".
    data_dir: ShapeNetCore.v2, or a folder of train.npz and test.npz with a grid
      in each array.
    side: of the cubes.
    threshold: what scaled-down .binvox cells are occupied above.
    classes: ShapeNet's synset numbers; None takes all there are.
    num_variants: signals of each shape, all but the first with other
      proportions.
    test_share: share of ShapeNet's shapes, with all their variants, that is for
      testing; of .npz each file is a split.
    seed: of the division, the order and the variants.
  """
  if data_dir is None:
    raise SystemExit("--data_dir: name the folder of ShapeNet, or of .npz.")
  part = "train" if split == "train" else "test"
  with signals.reading():
    if (data_dir / "train.npz").is_file():
      archive = data.voxels_from_npz(
        data_dir / f"{part}.npz",
        side=side,
        num_variants=num_variants,
        seed=seed,
        split=part,
      )
      return signals.Voxels(archive, _shuffled(range(len(archive)), seed))
    folder = data.BinvoxFolder(
      data_dir,
      side=side,
      threshold=threshold,
      classes=classes,
      num_variants=num_variants,
      seed=seed,
    )
    chosen = _divided(len(folder) // num_variants, test_share, seed)[part]
  indices = [
    shape * num_variants + variant
    for shape in chosen
    for variant in range(num_variants)
  ]
  # Where a grid is broken, the next one of the same split stands in for it.
  found = folder.part(indices)
  return signals.Voxels(found, _shuffled(range(len(found)), seed))


@functools.cache
def _divided(
  num_shapes: int, test_share: float, seed: int
) -> dict[str, tuple[int, ...]]:
  """Which shapes are for training and for testing, one at least for each."""
  num_test = max(1, round(test_share * num_shapes))
  sizes = (num_shapes - num_test, num_test)
  with build.of_config():
    parts = data.divide(range(num_shapes), sizes, seed=seed)
  return {
    name: tuple(int(part[i]) for i in range(len(part)))
    for name, part in zip(("train", "test"), parts, strict=True)
  }


def _shuffled(indices: Sequence[int], seed: int) -> list[int]:
  order: list[int] = np.random.default_rng(seed).permutation(indices).tolist()
  return order


if __name__ == "__main__":
  launch.main(load, signals.Run)
