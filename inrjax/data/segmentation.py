"""Pairs of an image and a mask as labelled images: a class for every pixel.

The layouts that are known are names in one folder (`image_00.png` beside
`label_00.png`) and the sequences of the Cell Tracking Challenge (`01/t000.tif`
and `01_GT/SEG/man_seg000.tif`). Pairs are read at once: such sets are small.
"""

import math
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from inrjax.data import images as images_lib
from inrjax.data import labelled, sources, streams

_SEGMENTED = "man_seg"


class Pair(NamedTuple):
  """Files of one example.

  Attributes:
    image: the picture.
    mask: of its size, 0 in the background.
  """

  image: pathlib.Path
  mask: pathlib.Path


def named_pairs(
  folder: str | os.PathLike[str],
  *,
  image: str = "image_",
  mask: str = "label_",
) -> list[Pair]:
  """Files of one folder whose names differ in how they begin.

  Args:
    folder: searched recursively.
    image: how the names of images begin.
    mask: how those of masks begin; what follows is the same.

  Returns:
    Pairs in sorted order.

  Raises:
    ImageError: if there is none, or an image is without a mask.
  """
  found = [
    Pair(path, path.with_name(mask + path.name[len(image) :]))
    for path in images_lib.find_images(folder)
    if path.name.startswith(image)
  ]
  return _checked(found, f"{folder} (names with {image} and {mask})")


def cell_tracking_pairs(
  root: str | os.PathLike[str],
  split: str,
  *,
  held_out: float,
  annotation: str = "GT",
) -> list[Pair]:
  """Annotated frames of a data set of the Cell Tracking Challenge.

  Of each sequence the last frames are held out, whose neighbours in time are
  then not trained on; they serve for validation and testing. (A.7 of Alizadeh's
  thesis holds out 30 % and does not say which.)

  Args:
    root: the data set, with folders `01` and `01_GT`, and so on.
    split: "train", "validation" or "test".
    held_out: part of the frames, in (0, 1).
    annotation: "GT" for masks drawn by people, "ST" for computed ones.

  Raises:
    ImageError: for a folder without such pairs.
    ValueError: for another split or part.
  """
  if split not in streams.SPLITS:
    raise ValueError(f"split must be one of {streams.SPLITS}, got {split!r}.")
  if not 0 < held_out < 1:
    raise ValueError(f"held_out must lie in (0, 1), got {held_out}.")
  end = f"_{annotation}"
  chosen: list[Pair] = []
  for folder in sorted(pathlib.Path(root).glob(f"*{end}/SEG")):
    sequence = folder.parent.with_name(folder.parent.name.removesuffix(end))
    masks = [
      path
      for path in images_lib.find_images(folder)
      if path.name.startswith(_SEGMENTED)
    ]
    pairs = [
      Pair(sequence / f"t{mask.name[len(_SEGMENTED) :]}", mask)
      for mask in masks
    ]
    first = len(pairs) - math.ceil(held_out * len(pairs))
    chosen += pairs[:first] if split == "train" else pairs[first:]
  return _checked(chosen, f"{root} (01/t000.tif and 01{end}/SEG)")


def _checked(pairs: list[Pair], where: str) -> list[Pair]:
  if not pairs:
    raise images_lib.ImageError(f"No pair of an image and a mask in {where}.")
  for pair in pairs:
    for path in pair:
      if not path.is_file():
        raise images_lib.ImageError(
          f"{path} is missing, of the pair {pair.image.name} and"
          f" {pair.mask.name}."
        )
  return pairs


def labelled_masks(
  pairs: Sequence[Pair],
  *,
  resize_to: int | None = None,
  tile: int | None = None,
  channels: int = 1,
) -> labelled.Labelled:
  """Pairs with two classes: background (0) and what the mask marks (1).

  Args:
    pairs: at least one.
    resize_to: side of the square that images are resampled to (bilinearly) and
      masks too (by the nearest pixel); None keeps sizes.
    tile: side of squares that images are cut into, row by row; None does not.
    channels: 1 for grey or 3 for RGB.

  Returns:
    `labels [n, H, W]`.

  Raises:
    ImageError: for a file that cannot be read, or a mask of another size.
    ValueError: for images of different sizes, or that tiles do not fill.
  """
  found = [_read(pair, resize_to, channels) for pair in pairs]
  sizes = {image.shape[:2] for image, _ in found}
  if len(sizes) != 1:
    raise ValueError(
      f"Images have the sizes {sorted(sizes)}; bring them to one with"
      " resize_to."
    )
  images, masks = (np.stack(parts) for parts in zip(*found, strict=True))
  if tile is not None:
    images, masks = _tiles(images, tile), _tiles(masks[..., None], tile)[..., 0]
  return labelled.Labelled(sources.ArraySource(images), masks, 2)


def _read(
  pair: Pair, resize_to: int | None, channels: int
) -> tuple[np.ndarray, np.ndarray]:
  image = images_lib.read_image(pair.image, channels=channels)
  values = images_lib.read_array(pair.mask)
  if values.ndim > 2:
    raise images_lib.ImageError(
      f"{pair.mask} must be grey, whose 0 is the background, got the shape"
      f" {values.shape}."
    )
  if values.shape != image.shape[:2]:
    raise images_lib.ImageError(
      f"{pair.mask} has the size {values.shape}, {pair.image.name}"
      f" {image.shape[:2]}."
    )
  mask = (values != 0).astype(np.uint8)
  if resize_to is None:
    return image, mask
  size = (resize_to, resize_to)
  picture = Image.fromarray(image[..., 0] if channels == 1 else image)
  resized = np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
  nearest = Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)
  return resized.reshape(*size, channels), np.asarray(nearest)


def _tiles(images: np.ndarray, side: int) -> np.ndarray:
  """`[n, H, W, C] -> [n * H / side * W / side, side, side, C]`."""
  count, height, width, channels = images.shape
  if side < 1 or height % side or width % side:
    raise ValueError(
      f"Images of {height} x {width} are not cut into tiles of {side}; choose"
      " a divisor of both, or resize_to a multiple."
    )
  cut = images.reshape(
    count, height // side, side, width // side, side, channels
  )
  return cut.swapaxes(2, 3).reshape(-1, side, side, channels)
