"""Images with classes: sources of them, and their normalisation.

A labelled source is an image source with one label for each image. Batches of
it (`inrjax.data.labelled_batches`) stay 8-bit; `Normalization` is part of the
traced program, so a quarter of the bytes goes to the device.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from inrjax.data import images as images_lib
from inrjax.data import sources, splits


class LabelledBatch(NamedTuple):
  """Images and their classes.

  Attributes:
    images: `[B, H, W, C]` uint8.
    labels: `[B]` int32, or `[B, H, W]` where every pixel has a class.
  """

  images: Any
  labels: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
  """A source of images and the class of each, or of each pixel.

  Attributes:
    images: the images, by random access.
    labels: `[n]` integers in `[0, num_classes)`, or `[n, H, W]` of pixels.
    num_classes: at least 2.
  """

  images: sources.ImageSource
  labels: np.ndarray
  num_classes: int

  def __post_init__(self) -> None:
    if self.num_classes < 2:
      raise ValueError(
        f"num_classes must be at least 2, got {self.num_classes}."
      )
    labels = np.asarray(self.labels)
    if labels.ndim not in (1, 3) or len(labels) != len(self.images):
      raise ValueError(
        f"{len(self.images)} images need as many labels [n], or masks"
        f" [n, H, W], got {labels.shape}."
      )
    if not np.issubdtype(labels.dtype, np.integer):
      raise ValueError(f"Labels must be integers, got {labels.dtype}.")
    if labels.ndim > 1 and self.num_classes > 256:
      raise ValueError(
        f"Masks have at most 256 classes, as they are augmented with 8-bit"
        f" images; got {self.num_classes}."
      )
    check_labels(labels, self.num_classes)
    object.__setattr__(self, "labels", labels.astype(np.int32))

  def __len__(self) -> int:
    return len(self.labels)

  def subset(self, indices: Sequence[int] | np.ndarray) -> "Labelled":
    """The examples at these indices, in their order."""
    chosen = np.asarray(indices, np.int64)
    return Labelled(
      _Chosen(self.images, chosen), self.labels[chosen], self.num_classes
    )

  def read(
    self,
    indices: np.ndarray,
    executor: concurrent.futures.Executor | None = None,
    *,
    crop: Callable[[int, np.ndarray], np.ndarray] | None = None,
  ) -> LabelledBatch:
    """The examples at these indices as one batch.

    Args:
      indices: `[B]`.
      executor: threads to decode in; None decodes one after the other.
      crop: changes an image, given its place in the batch.

    Raises:
      ValueError: if the images differ in shape.
    """

    def get(place: int) -> np.ndarray:
      image = self.images[int(indices[place])]
      return image if crop is None else crop(place, image)

    places = range(len(indices))
    found = list(executor.map(get, places) if executor else map(get, places))
    shapes = {image.shape for image in found}
    if len(shapes) > 1:
      raise ValueError(
        f"A batch needs images of one shape, got {sorted(shapes)}; wrap the"
        " source in data.CentreCrop."
      )
    return LabelledBatch(np.stack(found), self.labels[indices])


class _Chosen:
  """Some images of a source."""

  def __init__(self, source: sources.ImageSource, indices: np.ndarray):
    self._source = source
    self._indices = indices

  def __len__(self) -> int:
    return len(self._indices)

  def __getitem__(self, index: int) -> np.ndarray:
    return self._source[int(self._indices[index])]


def check_labels(labels: np.ndarray, num_classes: int) -> None:
  """Checks that labels are classes.

  Raises:
    ValueError: for one outside `[0, num_classes)`, naming it and its place.
  """
  wrong = np.argwhere((labels < 0) | (labels >= num_classes))
  if len(wrong):
    raise ValueError(
      f"Label {labels[tuple(wrong[0])]} of example {wrong[0][0]} (and of"
      f" {len(wrong) - 1} more) is outside the {num_classes} classes 0 to"
      f" {num_classes - 1}: set num_classes, or number the classes from 0."
    )


def labelled_npz(
  path: str | os.PathLike[str],
  *,
  num_classes: int,
  images: str = "x",
  labels: str = "y",
) -> Labelled:
  """Images and labels of a NumPy archive.

  Args:
    path: the `.npz`.
    num_classes: number of classes.
    images: key of `[n, H, W]` or `[n, H, W, C]` uint8.
    labels: key of `[n]` integers.

  Raises:
    ImageError: if the file cannot be read or has no such arrays.
    ValueError: for labels outside the classes.
  """
  source = sources.from_npz(path, images)
  try:
    with (
      open(path, "rb") as stream,
      np.load(stream, allow_pickle=False) as archive,
    ):
      if labels not in archive.files:
        raise images_lib.ImageError(
          f"{path} has no labels {labels!r}, only {archive.files}."
        )
      classes = archive[labels]
  except images_lib.READ_ERRORS as error:
    if isinstance(error, images_lib.ImageError):
      raise
    raise images_lib.ImageError(f"Cannot read {path}: {error}") from error
  return Labelled(source, classes, num_classes)


def labelled_folder(
  root: str | os.PathLike[str],
  split: str,
  *,
  channels: int = 3,
  annotations: str = "val_annotations.txt",
) -> Labelled:
  """Images in a folder for each class, as ImageNet comes.

  Classes are the names of the innermost folders but one called `images` (as in
  Tiny-ImageNet), sorted; all splits together name them, so a class has the same
  number in each. Images that lie in no such folder have no class, unless a list
  beside them says so, as for the held-out images of Tiny-ImageNet.

  Args:
    root: the folder, split as `splits.split_files` says.
    split: "train", "validation" or "test".
    channels: 1 for grey or 3 for RGB.
    annotations: name of such a list, with a file's name and a class at the
      start of each line. It may lie one folder above the images.

  Raises:
    ImageError: if there is nothing to read, or an image of the split has no
      class.
    ValueError: if there are fewer than two classes.
  """
  folder = pathlib.Path(root)
  class_of = _Classes(folder, annotations)
  everything = (p for s in _SPLITS for p in splits.split_files(folder, s))
  names = sorted({name for name in map(class_of, everything) if name})
  source = sources.ImageFiles(
    splits.split_files(folder, split), channels=channels
  )
  found = [class_of(path) for path in source.paths]
  if None in found:
    raise images_lib.ImageError(
      f"{source.paths[found.index(None)]} is in no class's folder, nor in a"
      f" list {annotations} (and {found.count(None) - 1} more): the split"
      f" {split!r} needs a folder for each class."
    )
  numbers: dict[str | None, int] = {name: i for i, name in enumerate(names)}
  labels = np.array([numbers[name] for name in found], np.int32)
  return Labelled(source, labels, len(names))


_SPLITS = ("train", "validation", "test")


class _Classes:
  """The class of a file, None where nothing says it."""

  def __init__(self, root: pathlib.Path, annotations: str):
    # Below `train` and its like there is one folder more than the classes'.
    self._depth = len(root.parts) + (root / "train").is_dir()
    self._annotations = annotations
    self._lists: dict[pathlib.Path, dict[str, str]] = {}

  def __call__(self, path: pathlib.Path) -> str | None:
    folder = path.parent
    if folder.name == "images":
      folder = folder.parent
    listed = self._listed(folder).get(path.name)
    if listed is not None:
      return listed
    return folder.name if len(folder.parts) > self._depth else None

  def _listed(self, folder: pathlib.Path) -> dict[str, str]:
    if folder not in self._lists:
      path = folder / self._annotations
      self._lists[folder] = _read_list(path) if path.is_file() else {}
    return self._lists[folder]


def _read_list(path: pathlib.Path) -> dict[str, str]:
  try:
    lines = path.read_text(encoding="utf-8").splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise images_lib.ImageError(f"Cannot read {path}: {error}") from error
  rows = [line.split() for line in lines if line.strip()]
  for row in rows:
    if len(row) < 2:
      raise images_lib.ImageError(
        f"{path}: {' '.join(row)!r} is not a file's name and its class."
      )
  return {row[0]: row[1] for row in rows}


def labelled_tfds(
  name: str,
  *,
  split: str,
  num_classes: int,
  data_dir: str | os.PathLike[str] | None = None,
  image: str = "image",
  label: str = "label",
) -> Labelled:
  """A TensorFlow Datasets split with labels, by random access.

  Labels are read once, at the start, without decoding the images.

  Args:
    name: the data set, such as "cifar10", "cifar100" or "imagenet2012".
    split: such as "train" or "train[:90%]".
    num_classes: number of classes.
    data_dir: as in `sources.tfds_source`.
    image: the entry that holds the image.
    label: the entry that holds the class.

  Raises:
    ImportError: as `sources.tfds_source`.
    ValueError: for labels outside the classes, or examples without any.
  """
  pictures = sources.tfds_source(
    name, split=split, data_dir=data_dir, feature=image
  )
  import tensorflow_datasets  # Installed, or the line above has raised.

  examples = tensorflow_datasets.data_source(
    name,
    split=split,
    data_dir=None if data_dir is None else str(data_dir),
    decoders={image: tensorflow_datasets.decode.SkipDecoding()},
  )
  if len(examples) and label not in examples[0]:
    raise ValueError(
      f"Examples of {name!r} have no {label!r}, only {sorted(examples[0])}."
    )
  labels = [int(examples[i][label]) for i in range(len(examples))]
  return Labelled(pictures, np.array(labels, np.int32), num_classes)


class Normalization(NamedTuple):
  """Mean and deviation of each channel over a training set.

  Attributes:
    mean: of pixels in [0, 1].
    deviation: positive.
  """

  mean: tuple[float, ...]
  deviation: tuple[float, ...]

  def __call__(self, images: Any) -> Any:
    """8-bit images `[..., C]` to float32 of mean 0 and deviation 1.

    Raises:
      ValueError: for another number of channels.
    """
    if images.shape[-1] != len(self.mean):
      raise ValueError(
        f"Images have {images.shape[-1]} channels, their mean {len(self.mean)}:"
        " choose the normalisation of this data set."
      )
    shape = (1,) * (images.ndim - 1) + (-1,)
    mean = np.asarray(self.mean, np.float32).reshape(shape)
    deviation = np.asarray(self.deviation, np.float32).reshape(shape)
    return (images.astype(np.float32) / np.float32(255) - mean) / deviation


# Of the whole training sets; "grey" serves where nobody has measured one.
NORMALIZATIONS: Mapping[str, Normalization] = MappingProxyType(
  {
    "cifar10": Normalization(
      (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    ),
    "cifar100": Normalization(
      (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
    ),
    # The five training images of the data pack.
    "em_membrane": Normalization((0.4994,), (0.1703,)),
    "fashion_mnist": Normalization((0.2860,), (0.3530,)),
    "grey": Normalization((0.5,), (0.25,)),
    "imagenet": Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "tiny_imagenet": Normalization(
      (0.4802, 0.4481, 0.3975), (0.2770, 0.2691, 0.2821)
    ),
  }
)
