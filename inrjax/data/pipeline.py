"""Batches for training: deterministic, sharded by host, resumable.

The order is one endless sequence that depends on the seed alone. A batch is
the next stretch of it, and host h of n takes the h-th of n equal parts of
every batch: the hosts' batches, put together, are the batch one host would
have drawn, so a run does not depend on how many hosts it is spread over.
"""

import functools
import operator
from collections.abc import Sequence
from typing import Any

import grain
import numpy as np

from inrjax.data import augment as augment_lib
from inrjax.data import sources

_DEFAULT_CACHE_BYTES = 2**29
# How often a crop that hardly varies is drawn anew.
_REDRAWS = 3


def make_pipeline(
  source: sources.ImageSource,
  *,
  batch_size: int,
  seed: int,
  crop_size: int | tuple[int, ...] | None = None,
  crops_per_image: int = 1,
  min_spread: float | None = None,
  augment: Sequence[str | augment_lib.Augmentation] = (),
  num_epochs: int | None = None,
  shard_index: int = 0,
  shard_count: int = 1,
  cache_bytes: int = _DEFAULT_CACHE_BYTES,
  read_threads: int = 0,
) -> grain.DatasetIterator[np.ndarray]:
  """Batches of images or other signals, or of random crops of them.

  Every image is visited once per epoch, whatever its size, in an order of its
  own per epoch. An image smaller than the crop is first continued by
  reflection.

  Args:
    source: the images, `[H, W, C]`; or signals `[*shape, C]` of any number of
      axes.
    batch_size: crops (images, without `crop_size`) in a batch over all hosts.
    seed: of the order, the crops and the augmentations.
    crop_size: side of a square crop, or its height and width, or its length on
      each of a signal's axes; None takes whole images, which then must have one
      size.
    crops_per_image: crops cut from one visit to an image, neighbours in the
      batch; more of them spare decoding, fewer make batches more varied.
    min_spread: a crop whose largest value is less than this above its smallest
      is drawn anew, up to three times: where a share p of an image is
      background, p^4 of the crops still are. None takes crops as they come.
    augment: names from `augment.AUGMENTATIONS` or functions like them, applied
      in order.
    num_epochs: visits to each image; None never ends. The last batch is
      dropped where it would be short.
    shard_index: this host, in `[0, shard_count)`.
    shard_count: number of hosts.
    cache_bytes: memory for decoded images, in bytes.
    read_threads: threads that read ahead; 0 reads when asked. The batches are
      the same.

  Returns:
    An iterator over `[batch_size / shard_count, h, w, C]`, of the source's
    type, whose `get_state()` and `set_state()` resume to the batch; the state
    is a small dictionary that JSON can hold, and the same on every host.

  Raises:
    ValueError: for sizes that do not divide, or an epoch without one batch; by
      the iterator, for a signal with another number of axes than crop_size.
  """
  _check_positive(
    batch_size=batch_size,
    crops_per_image=crops_per_image,
    shard_count=shard_count,
    num_images=len(source),
  )
  if not 0 <= seed < 2**32:
    raise ValueError(f"seed must be in [0, 2**32), got {seed}.")
  if not 0 <= shard_index < shard_count:
    raise ValueError(
      f"shard_index must be in [0, {shard_count}), got {shard_index}."
    )
  if batch_size % (crops_per_image * shard_count):
    raise ValueError(
      f"batch_size {batch_size} must be a multiple of crops_per_image "
      f"{crops_per_image} times shard_count {shard_count}."
    )
  cut = _Cut(crop_size, crops_per_image, min_spread, tuple(augment))
  visits_per_batch = batch_size // crops_per_image
  images = grain.MapDataset.source(
    sources.CachedSource(source, max_bytes=cache_bytes)
  )
  visits = _Shuffled(images, seed).repeat(num_epochs).random_map(cut, seed=seed)
  if len(visits) < visits_per_batch:
    raise ValueError(
      f"{len(visits)} visits to images in {num_epochs} epochs do not fill a "
      f"batch of {batch_size}; lower batch_size or raise num_epochs."
    )
  share = _HostShare(visits, visits_per_batch, shard_index, shard_count)
  batches = share.batch(
    visits_per_batch // shard_count, drop_remainder=True, batch_fn=_join
  )
  options = grain.ReadOptions(
    num_threads=read_threads, prefetch_buffer_size=2 * read_threads
  )
  return iter(batches.to_iter_dataset(options))


class _Cut(grain.transforms.RandomMap):
  """Signal `[*shape, C]` to crops `[k, *sides, C]`."""

  def __init__(
    self,
    crop_size: int | tuple[int, ...] | None,
    crops_per_image: int,
    min_spread: float | None,
    augment: tuple[str | augment_lib.Augmentation, ...],
  ):
    if crop_size is None:
      for name, value, unset in (
        ("crops_per_image", crops_per_image, 1),
        ("min_spread", min_spread, None),
      ):
        if value != unset:
          raise ValueError(
            f"{name} {value} needs a crop_size: whole images would repeat."
          )
      self._size = None
    else:
      size = (crop_size,) * 2 if isinstance(crop_size, int) else crop_size
      if not size or min(size) < 1:
        raise ValueError(f"crop_size must be at least 1, got {crop_size}.")
      self._size = tuple(size)
    if min_spread is not None and not min_spread >= 0:
      raise ValueError(f"min_spread must be at least 0, got {min_spread}.")
    self._count = crops_per_image
    self._min_spread = min_spread
    self._augment = tuple(_augmentation(value) for value in augment)

  def random_map(
    self, element: np.ndarray, rng: np.random.Generator
  ) -> np.ndarray:
    crops = self._crops(element, rng)
    for change in self._augment:
      crops = change(rng, crops)
    return crops

  def _crops(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if self._size is None:
      return image[np.newaxis]
    if image.ndim != len(self._size) + 1:
      raise ValueError(
        f"crop_size {self._size} needs signals of {len(self._size)} axes and "
        f"channels, got {image.shape}."
      )
    image = _pad_to(image, self._size)
    crops = _drawn(image, self._size, self._count, rng)
    if self._min_spread is None:
      return crops
    for _ in range(_REDRAWS):
      flat = crops.reshape(len(crops), -1)
      # Integers would overflow.
      spread = flat.max(1).astype(float) - flat.min(1).astype(float)
      dull = np.flatnonzero(spread < self._min_spread)
      crops[dull] = _drawn(image, self._size, len(dull), rng)
    return crops


class _Shuffled(grain.MapDataset):
  """A new order each epoch, from a permutation held in memory.

  Grain's own shuffle permutes by cycle walking in a 16-bit block: for a dozen
  images that is thousands of rounds per element, more than all else here.
  """

  def __init__(self, parent: grain.MapDataset, seed: int):
    super().__init__(parent)
    self._permutation = functools.lru_cache(maxsize=2)(
      lambda epoch: np.random.default_rng((seed, epoch)).permutation(
        len(parent)
      )
    )

  def __len__(self) -> int:
    return len(self._parent)

  def __getitem__(self, index: Any) -> Any:
    if isinstance(index, slice):
      return self.slice(index)
    epoch, place = divmod(operator.index(index), len(self))
    return self._parent[int(self._permutation(epoch)[place])]


class _HostShare(grain.MapDataset):
  """The elements of every batch that belong to one host."""

  def __init__(
    self, parent: grain.MapDataset, per_batch: int, index: int, count: int
  ):
    super().__init__(parent)
    self._per_batch = per_batch
    self._per_host = per_batch // count
    self._offset = index * self._per_host

  def __len__(self) -> int:
    return len(self._parent) // self._per_batch * self._per_host

  def __getitem__(self, index: Any) -> Any:
    if isinstance(index, slice):
      return self.slice(index)
    batch, row = divmod(operator.index(index), self._per_host)
    return self._parent[batch * self._per_batch + self._offset + row]


def _augmentation(
  value: str | augment_lib.Augmentation,
) -> augment_lib.Augmentation:
  if not isinstance(value, str):
    return value
  if value not in augment_lib.AUGMENTATIONS:
    raise ValueError(
      f"Unknown augmentation {value!r}; there are "
      f"{sorted(augment_lib.AUGMENTATIONS)}."
    )
  return augment_lib.AUGMENTATIONS[value]


def _drawn(
  image: np.ndarray,
  size: tuple[int, ...],
  count: int,
  rng: np.random.Generator,
) -> np.ndarray:
  """Crops `[count, *size, C]` at random places."""
  sides = [
    rng.integers(n - side + 1, size=count)
    for n, side in zip(image.shape, size, strict=False)
  ]
  crops = np.empty((count, *size, image.shape[-1]), image.dtype)
  for crop, *starts in zip(crops, *sides, strict=True):
    places = zip(starts, size, strict=True)
    crop[...] = image[tuple(slice(a, a + side) for a, side in places)]
  return crops


def _pad_to(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
  pairs = zip(image.shape, size, strict=False)
  missing = [(0, max(side - n, 0)) for n, side in pairs]
  if not np.any(missing):
    return image
  return np.pad(image, [*missing, (0, 0)], "reflect")


def _join(elements: Sequence[np.ndarray]) -> np.ndarray:
  shapes = {element.shape[1:] for element in elements}
  if len(shapes) > 1:
    raise ValueError(
      f"A batch needs one shape, got {sorted(shapes)}; give crop_size (and "
      "one number of channels)."
    )
  return np.concatenate(elements)


def _check_positive(**values: int) -> None:
  for name, value in values.items():
    if value < 1:
      raise ValueError(f"{name} must be at least 1, got {value}.")
