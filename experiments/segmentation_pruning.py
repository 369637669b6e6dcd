"""Images with masks: cell-tracking sequences, or pairs in two folders."""

import pathlib
from collections.abc import Sequence

from experiments import build, classify
from inrjax import data


def load(
  split: str,
  data_dir: pathlib.Path | None,
  *,
  layout: str,
  held_out: float,
  resize_to: int | None,
  tile: int | None,
) -> data.Labelled:
  """Examples of a split; what is held out serves for validation and testing.

  Args:
    split: "train", "validation" or "test".
    data_dir: the folder.
    layout: "cell_tracking" (`01/t000.tif`, `01_GT/SEG/man_seg000.tif`) or
      "named" (`image_00.png` beside `label_00.png`, in `train` and `test`).
    held_out: part of each sequence's frames; the folders of "named" decide it.
    resize_to: side of the square that images become; None keeps their size.
    tile: side of the squares that they are cut into; None for whole images.

  Raises:
    ImageError: without a folder, or for one without such pairs.
  """
  if data_dir is None:
    raise data.ImageError(
      "Images with masks are a folder; give --data_dir=DIR."
    )

  def sequences() -> Sequence[data.Pair]:
    return data.cell_tracking_pairs(data_dir, split, held_out=held_out)

  def names() -> Sequence[data.Pair]:
    folder = "train" if split == "train" else "test"
    return data.named_pairs(data_dir / folder)

  layouts = {"cell_tracking": sequences, "named": names}
  pairs = build.choose(layouts, layout, "data.source.layout")()
  return data.labelled_masks(pairs, resize_to=resize_to, tile=tile)


if __name__ == "__main__":
  classify.main(load)
