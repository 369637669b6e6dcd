"""Random-access sources of images: a length, and `[H, W, C]` by index."""

import os
import pathlib
import threading
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from inrjax.data import images, substitution


class ImageSource(Protocol):
  """Anything with a length that gives one image per index."""

  def __len__(self) -> int:
    """Number of images."""

  def __getitem__(self, index: int) -> np.ndarray:
    """The image `[H, W, C]` uint8 at an index in `[0, len)`."""


class UnreadableImageWarning(UserWarning):
  """A file among many could not be read and is left out."""


class ImageFiles(substitution.SubstitutingFiles):
  """Image files, decoded when asked for.

  A file whose header is unreadable is left out at construction. One that turns
  out to be broken further in (truncated, say) is found when it is first
  decoded: its place is then taken by the next readable file, so that indices
  keep their meaning and a resumed run sees what the first one saw. Either way
  there is one `UnreadableImageWarning` per file.
  """

  ERROR = images.ImageError
  WARNING = UnreadableImageWarning
  WHAT = "image files"

  def __init__(
    self, paths: Iterable[str | os.PathLike[str]], *, channels: int = 3
  ):
    """Checks every file's header.

    Args:
      paths: the files, in the order of the indices.
      channels: 1 for grey or 3 for RGB; see `images.read_image`.

    Raises:
      ImageError: if no file is readable.
    """
    if channels not in (1, 3):
      raise ValueError(f"channels must be 1 or 3, got {channels}.")
    super().__init__()
    self._channels = channels
    candidates = [pathlib.Path(p) for p in paths]
    self._paths = [p for p in candidates if self._has_header(p)]
    if not self._paths:
      raise images.ImageError(
        f"None of {len(candidates)} image files is readable; "
        f"expected {', '.join(sorted(images.EXTENSIONS))}."
      )

  def _read(self, path: pathlib.Path) -> np.ndarray:
    return images.read_image(path, channels=self._channels)

  def _has_header(self, path: pathlib.Path) -> bool:
    try:
      images.check_header(path)
    except images.ImageError as error:
      self._leave_out(path, error)
      return False
    return True


class ImageFolder(ImageFiles):
  """Every image below a folder, in sorted order; see `ImageFiles`."""

  def __init__(self, root: str | os.PathLike[str], *, channels: int = 3):
    """Lists a folder.

    Args:
      root: the folder, searched recursively.
      channels: 1 for grey or 3 for RGB.

    Raises:
      ImageError: if there is no folder, or no readable image in it.
    """
    paths = images.find_images(root)
    if not paths:
      raise images.ImageError(
        f"No image below {root}; expected files ending in "
        f"{', '.join(sorted(images.EXTENSIONS))}."
      )
    super().__init__(paths, channels=channels)


class ArraySource:
  """Images of one size, already in memory."""

  def __init__(self, array: np.ndarray):
    """Wraps an array without copying it.

    Args:
      array: `[n, H, W]` or `[n, H, W, C]` uint8, C = 1 or 3.

    Raises:
      ValueError: for another type, rank, number of channels, or no pixels.
    """
    if array.dtype != np.uint8:
      raise ValueError(
        f"Images must be uint8 in 0..255, got {array.dtype}; convert "
        "floats in [0, 1] with np.rint(255 * x).astype(np.uint8)."
      )
    if array.ndim == 3:
      array = array[..., np.newaxis]
    if array.ndim != 4 or array.shape[3] not in (1, 3) or not array.size:
      raise ValueError(
        "Images must be a non-empty [n, H, W] or [n, H, W, C] with C = 1 or "
        f"3, got shape {array.shape}."
      )
    self._array = array

  def __len__(self) -> int:
    return len(self._array)

  def __getitem__(self, index: int) -> np.ndarray:
    if not 0 <= index < len(self):
      raise IndexError(f"Index {index} of {len(self)} images.")
    return self._array[index]


def from_npz(path: str | os.PathLike[str], key: str) -> ArraySource:
  """Images out of an `.npz` archive.

  Args:
    path: the archive; nothing in it is unpickled.
    key: the array's name in it, `[n, H, W]` or `[n, H, W, C]` uint8.

  Returns:
    The source, in memory.

  Raises:
    ImageError: if the archive cannot be read or has no such array.
    ValueError: if the array holds no 8-bit images.
  """
  try:
    # NumPy leaves a broken file open if it opens it itself.
    with (
      open(path, "rb") as stream,
      np.load(stream, allow_pickle=False) as archive,
    ):
      if key not in archive.files:
        raise images.ImageError(
          f"{path} has no array {key!r}, only {archive.files}."
        )
      array = archive[key]
  except images.READ_ERRORS as error:
    if isinstance(error, images.ImageError):
      raise
    raise images.ImageError(f"Cannot read {path}: {error}") from error
  return ArraySource(array)


class FeatureSource:
  """One image feature of a source of examples (a TFDS data source)."""

  def __init__(
    self, examples: Sequence[dict[str, Any]], *, feature: str = "image"
  ):
    """Wraps examples that are dictionaries.

    Args:
      examples: a random-access sequence.
      feature: the entry that holds the image, `[H, W, C]` or `[H, W]` uint8.
    """
    self._examples = examples
    self._feature = feature

  def __len__(self) -> int:
    return len(self._examples)

  def __getitem__(self, index: int) -> np.ndarray:
    example = self._examples[index]
    if self._feature not in example:
      raise ValueError(
        f"Examples have no feature {self._feature!r}, only {sorted(example)}."
      )
    image = np.asarray(example[self._feature])
    if image.ndim == 2:
      image = image[..., np.newaxis]
    if (
      image.dtype != np.uint8
      or image.ndim != 3
      or image.shape[2] not in (1, 3)
      or not image.size
    ):
      raise ValueError(
        f"Feature {self._feature!r} must be a non-empty [H, W, C] uint8 with "
        f"C = 1 or 3, got {image.dtype} {image.shape}."
      )
    return image


def tfds_source(
  name: str,
  *,
  split: str,
  data_dir: str | os.PathLike[str] | None = None,
  feature: str = "image",
) -> FeatureSource:
  """Images of a TensorFlow Datasets split, without TensorFlow.

  Args:
    name: as in `tfds_examples`.
    split: as there.
    data_dir: as there.
    feature: the example's entry that holds the image.

  Returns:
    The source.

  Raises:
    ImportError: as `tfds_examples`.
  """
  examples = tfds_examples(name, split=split, data_dir=data_dir)
  return FeatureSource(examples, feature=feature)


def tfds_examples(
  name: str,
  *,
  split: str,
  data_dir: str | os.PathLike[str] | None = None,
) -> Any:
  """A TensorFlow Datasets split, by random access and without TensorFlow.

  Args:
    name: the data set, such as "cifar10" or "div2k/bicubic_x2".
    split: such as "train" or "train[:90%]".
    data_dir: where data sets are kept; TFDS's own folder by default. A set
      that is not there yet is downloaded and prepared by TFDS, which for many
      sets needs TensorFlow.

  Returns:
    Examples by index, each a mapping from features to arrays.

  Raises:
    ImportError: if TFDS, or TensorFlow where it is needed, is not installed.
  """
  try:
    # Optional, and slow to import.
    import tensorflow_datasets

    return tensorflow_datasets.data_source(
      name, split=split, data_dir=None if data_dir is None else str(data_dir)
    )
  except ImportError as error:
    raise ImportError(
      f"Reading {name!r} needs TensorFlow Datasets: pip install "
      "'inrjax[tfds]' (and tensorflow, to prepare a data set for the first "
      f"time). Cause: {error}"
    ) from error


class CachedSource:
  """Keeps decoded images in memory, up to a budget.

  What fits stays and nothing is ever evicted: in shuffled epochs every image
  is as likely as any other to come next, so the hit rate is the share that
  fits, which no replacement rule improves.
  """

  def __init__(self, source: ImageSource, *, max_bytes: int):
    """Wraps a source.

    Args:
      source: where images come from the first time.
      max_bytes: budget for pixels; 0 keeps nothing.

    Raises:
      ValueError: for a negative budget.
    """
    if max_bytes < 0:
      raise ValueError(f"max_bytes must be at least 0, got {max_bytes}.")
    self._source = source
    self._free = max_bytes
    self._kept: dict[int, np.ndarray] = {}
    self._lock = threading.Lock()

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> np.ndarray:
    kept = self._kept.get(index)
    if kept is not None:
      return kept
    image = self._source[index]
    with self._lock:
      if image.nbytes <= self._free and index not in self._kept:
        self._free -= image.nbytes
        self._kept[index] = image
    return image
