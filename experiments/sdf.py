"""Signed distances: made, or `data_2d_sdf.npz` in `--data_dir`."""

import pathlib

from experiments import launch, resize
from inrjax import data


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  num_images: int,
  held_out: int,
  side: int,
  reach: float,
  channels: int,
) -> data.ImageSource:
  """Images of a split, `side` pixels high and wide.

  `num_images` are made for training, `held_out` for validation and as many for
  testing; `reach` is the distance that is white, and 3 `channels` repeat the
  grey. An archive's test images are for validation too.
  """
  source: data.ImageSource
  if data_dir is None:
    count = num_images if split == "train" else held_out
    source = data.SignedDistances(
      split, num_images=count, side=side, reach=reach
    )
  else:
    key = "train_data" if split == "train" else "test_data"
    archive = data.from_npz(data_dir / "data_2d_sdf.npz", key)
    source = resize.Resized(archive, (side, side))
  return data.Channels(source, channels)


if __name__ == "__main__":
  launch.main(load)
