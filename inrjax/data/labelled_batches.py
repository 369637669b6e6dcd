"""Batches of images with classes: shuffled, augmented, resumable, balanced."""

import concurrent.futures
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from inrjax.data import augment as augment_lib
from inrjax.data import labelled
from inrjax.types import Array

# What a seed is used for. A seed that ends in zeros is one without them, so
# none of these is 0.
_ORDER, _AUGMENT, _BALANCED, _CROP = 1, 2, 3, 4

# (generator, image [h, w, C]) -> image of a shape that all have in common.
Crop = Callable[[np.random.Generator, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class PadCrop:
  """A window of an image's own size, up to `padding` off in each direction.

  The thesis' random cropping (A.1, A.4.2): zeros are put around the image.

  Attributes:
    padding: pixels on each side, at least 1; 4 in the thesis.
  """

  padding: int = 4

  def __post_init__(self) -> None:
    if self.padding < 1:
      raise ValueError(f"padding must be at least 1, got {self.padding}.")

  def __call__(self, rng: np.random.Generator, crops: np.ndarray) -> np.ndarray:
    """Moves each image of `[k, h, w, C]` by an offset of its own."""
    count, height, width, _ = crops.shape
    p = self.padding
    padded = np.pad(crops, ((0, 0), (p, p), (p, p), (0, 0)))
    top, left = rng.integers(0, 2 * p + 1, (2, count))
    rows = top[:, None] + np.arange(height)
    columns = left[:, None] + np.arange(width)
    return padded[
      np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]
    ]


class LabelledBatches:
  """Endless shuffled batches that can be resumed (`train.Batches`).

  The order is one endless sequence of epochs, each with a permutation of its
  own, and a batch is the next stretch of it. Host h of n takes the h-th of n
  equal parts of each. Augmentations depend on the seed, the batch and the host.
  """

  def __init__(
    self,
    source: labelled.Labelled,
    *,
    batch_size: int,
    seed: int,
    crop: Crop | None = None,
    augment: Sequence[augment_lib.Augmentation] = (),
    shard_index: int = 0,
    shard_count: int = 1,
    read_threads: int = 0,
  ):
    """Starts at the first batch.

    Args:
      source: the examples, at least one.
      batch_size: over all hosts.
      seed: of the order and the augmentations, at least 0.
      crop: brings each image to one shape, such as `RandomResizedCrop`; None
        for images that have one.
      augment: applied to the batch, in order; to masks of pixels as well.
      shard_index: this host.
      shard_count: number of hosts.
      read_threads: threads that decode a batch; 0 for none.

    Raises:
      ValueError: for sizes out of range or that do not divide.
    """
    if batch_size < 1 or batch_size % shard_count:
      raise ValueError(
        f"batch_size must be a positive multiple of the {shard_count} hosts,"
        f" got {batch_size}."
      )
    if not 0 <= shard_index < shard_count:
      raise ValueError(
        f"shard_index must be in [0, {shard_count}), got {shard_index}."
      )
    if crop is not None and source.labels.ndim > 1:
      raise ValueError(
        "crop changes images alone, and every pixel of these has a class; bring"
        " images and masks to one size in their source."
      )
    if not len(source):
      raise ValueError("The source has no examples.")
    self._source = source
    self._batch_size = batch_size
    self._seed = seed
    self._crop = crop
    self._augment = tuple(augment)
    self._shard = (shard_index, shard_count)
    self._pool = (
      concurrent.futures.ThreadPoolExecutor(read_threads)
      if read_threads
      else None
    )
    self._next = 0
    self._orders: dict[int, np.ndarray] = {}

  def __iter__(self) -> Iterator[labelled.LabelledBatch]:
    return self

  def __next__(self) -> labelled.LabelledBatch:
    index, count = self._shard
    size = self._batch_size // count
    first = self._next * self._batch_size + index * size
    chosen = self._at(np.arange(first, first + size))
    batch = self._source.read(chosen, self._pool, crop=self._crop_from(first))
    rng = np.random.default_rng(
      (self._seed, _AUGMENT, self._next, index, count)
    )
    self._next += 1
    return _augmented(rng, batch, self._augment)

  def get_state(self) -> dict[str, Any]:
    """Batches given so far."""
    return {"next": self._next}

  def set_state(self, state: dict[str, Any]) -> None:
    """Goes to where `get_state` was called."""
    self._next = int(state["next"])

  def _crop_from(
    self, first: int
  ) -> Callable[[int, np.ndarray], np.ndarray] | None:
    """Crops an example by its place in the endless order, whoever reads it."""
    crop = self._crop
    if crop is None:
      return None
    return lambda i, image: crop(
      np.random.default_rng((self._seed, _CROP, first + i)), image
    )

  def _at(self, places: np.ndarray) -> np.ndarray:
    """Indices at places of the endless order."""
    epochs, within = np.divmod(places, len(self._source))
    found = np.empty_like(places)
    for epoch in np.unique(epochs):
      found[epochs == epoch] = self._order(int(epoch))[within[epochs == epoch]]
    return found

  def _order(self, epoch: int) -> np.ndarray:
    if epoch not in self._orders:
      # A batch ends one epoch and begins the next: two are enough.
      for old in [e for e in self._orders if e < epoch - 1]:
        del self._orders[old]
      rng = np.random.default_rng((self._seed, _ORDER, epoch))
      self._orders[epoch] = rng.permutation(len(self._source))
    return self._orders[epoch]


def _augmented(
  rng: np.random.Generator,
  batch: labelled.LabelledBatch,
  augment: Sequence[augment_lib.Augmentation],
) -> labelled.LabelledBatch:
  """Augmented images; masks of pixels go along as one more channel."""
  images, labels = batch
  masks = labels.ndim > 1
  if masks:
    extra = labels[..., None].astype(images.dtype)
    images = np.concatenate([images, extra], axis=-1)
  for change in augment:
    images = change(rng, images)
  if masks:
    images, labels = images[..., :-1], images[..., -1].astype(labels.dtype)
  return labelled.LabelledBatch(images, labels)


def in_order(
  source: labelled.Labelled, *, batch_size: int
) -> Iterator[labelled.LabelledBatch]:
  """All examples once, in their order; the last batch may be short."""
  if batch_size < 1:
    raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
  for first in range(0, len(source), batch_size):
    last = min(first + batch_size, len(source))
    yield source.read(np.arange(first, last))


def balanced_batches(
  source: labelled.Labelled,
  *,
  per_class: int,
  num_batches: int,
  seed: int,
  augment: Sequence[augment_lib.Augmentation] = (),
) -> labelled.LabelledBatch:
  """Batches with equally many examples of every class, for a saliency.

  Wang et al. (2020) take ten of each class. Batches share no example while a
  class has enough; then its examples come again, in a new order.

  Args:
    source: the training examples.
    per_class: examples of each class in a batch, at least 1.
    num_batches: at least 1.
    seed: of the choice and the augmentations, at least 0.
    augment: applied in order.

  Returns:
    `[num_batches, per_class * num_classes, ...]` images and labels.

  Raises:
    ValueError: for counts out of range, a class without an example, or
      labels of pixels, which no choice of images balances.
  """
  if source.labels.ndim != 1:
    raise ValueError(
      "Batches cannot be balanced where every pixel has a class; draw them"
      " with LabelledBatches."
    )
  if per_class < 1 or num_batches < 1:
    raise ValueError(
      f"per_class and num_batches must be at least 1, got {per_class} and"
      f" {num_batches}."
    )
  found = np.bincount(source.labels, minlength=source.num_classes)
  missing = np.flatnonzero(found == 0)
  if missing.size:
    raise ValueError(
      f"There is no example of classes {missing.tolist()}: a saliency would"
      " not see them. Give a training set with all of its classes."
    )
  rng = np.random.default_rng((seed, _BALANCED))
  chosen = np.concatenate(
    [
      _repeated(rng, np.flatnonzero(source.labels == c), per_class, num_batches)
      for c in range(source.num_classes)
    ],
    axis=1,
  )
  batches = []
  for indices in chosen:
    batches.append(_augmented(rng, source.read(indices), augment))
  return labelled.LabelledBatch(
    *(np.stack(parts) for parts in zip(*batches, strict=True))
  )


def _repeated(
  rng: np.random.Generator, members: np.ndarray, per_class: int, count: int
) -> np.ndarray:
  """`[count, per_class]` of a class's examples, all before any comes again."""
  rounds = -(-per_class * count // len(members))
  order = np.concatenate([rng.permutation(members) for _ in range(rounds)])
  return order[: per_class * count].reshape(count, per_class)


def check_classes(labels: Array | np.ndarray) -> None:
  """Checks that a batch can tell classes apart.

  Raises:
    ValueError: if all of its examples have one class: nothing is learnt of
      what distinguishes it, and a saliency ranks nothing.
  """
  found = np.unique(np.asarray(labels))
  if found.size < 2:
    raise ValueError(
      f"A batch of {np.size(labels)} examples has only the class"
      f" {found.tolist()}: draw it with balanced_batches."
    )
