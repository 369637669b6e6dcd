"""ImageNet-100: folders by class; with a list of classes, those it names."""

import pathlib

from experiments import launch, resize
from inrjax import data


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  listing: str,
  resize_to: int,
  side: int,
  channels: int,
) -> data.ImageSource:
  """Images of a split; the held-out one serves for validation and testing.

  Args:
    split: "train", "validation" or "test".
    data_dir: folder for `data.split_files`, with a folder for each class.
    listing: a file that it may hold, with the names of the classes wanted.
    resize_to: the shorter edge before the crop; 256 in the paper.
    side: of the square in the middle.
    channels: 1 for grey or 3 for RGB.

  Raises:
    ImageError: without a folder, or if no class that is listed is there.
  """
  if data_dir is None:
    raise data.ImageError("ImageNet-100 is a folder; give --data_dir=DIR.")
  paths = data.split_files(data_dir, split)
  if (data_dir / listing).is_file():
    classes = set((data_dir / listing).read_text(encoding="utf-8").split())
    paths = [path for path in paths if path.parent.name in classes]
    if not paths:
      raise data.ImageError(f"No folder below {data_dir} is in {listing}.")
  source = data.ImageFiles(paths, channels=channels)
  return data.CentreCrop(resize.Resized(source, (resize_to, resize_to)), side)


if __name__ == "__main__":
  launch.main(load)
