"""Labelled images: every label belongs to its image, in any batch."""

import pathlib
import sys
import types

import numpy as np
import pytest
from PIL import Image

from inrjax import data

RNG = np.random.default_rng(0)
NUM_CLASSES = 3


def source(n: int = 10, num_classes: int = NUM_CLASSES) -> data.Labelled:
  """The first pixel of image i is i; its class is i modulo the classes."""
  images = RNG.integers(0, 256, (n, 6, 5, 1), np.uint8)
  images[:, 0, 0, 0] = np.arange(n)
  labels = np.arange(n) % num_classes
  return data.Labelled(data.ArraySource(images), labels, num_classes)


def ids(batch: data.LabelledBatch) -> np.ndarray:
  return batch.images[..., 0, 0, 0]


def test_npz_has_images_and_their_labels(tmp_path: pathlib.Path) -> None:
  path = tmp_path / "train.npz"
  x = RNG.integers(0, 256, (4, 6, 6), np.uint8)
  np.savez(path, x=x, y=np.array([0, 2, 1, 0], np.uint8))
  found = data.labelled_npz(path, num_classes=3)
  assert found.images[1].shape == (6, 6, 1)
  np.testing.assert_array_equal(found.labels, [0, 2, 1, 0])
  assert found.labels.dtype == np.int32
  # Fails if a label beyond the classes is clipped or wraps around.
  with pytest.raises(ValueError, match="Label 2 of example 1.*2 classes"):
    data.labelled_npz(path, num_classes=2)
  with pytest.raises(data.ImageError, match="no labels 'z'"):
    data.labelled_npz(path, num_classes=3, labels="z")


@pytest.mark.parametrize(
  ("labels", "num_classes", "match"),
  [
    ([0, 1, 3], 3, "Label 3 of example 2"),
    ([0, -1, 1], 3, "Label -1"),
    ([0.0, 1.0, 2.0], 3, "integers"),
    ([0, 1], 3, "as many labels"),
    ([0, 0, 0], 1, "at least 2"),
  ],
)
def test_labels_that_are_no_classes(labels, num_classes, match) -> None:
  images = data.ArraySource(np.zeros((3, 4, 4), np.uint8))
  with pytest.raises(ValueError, match=match):
    data.Labelled(images, np.array(labels), num_classes)


def test_folders_are_classes_and_number_alike_in_every_split(
  tmp_path: pathlib.Path,
) -> None:
  for split, names in (("train", "ab"), ("val", "abc")):
    for value, name in enumerate(names):
      # Tiny-ImageNet's training images are one folder deeper.
      folder = tmp_path / split / name / ("images" if split == "train" else "")
      folder.mkdir(parents=True)
      picture = np.full((4, 4, 3), 10 * value, np.uint8)
      Image.fromarray(picture).save(folder / "0.png")
  train = data.labelled_folder(tmp_path, "train")
  held_out = data.labelled_folder(tmp_path, "validation")
  # Fails if a split numbers only its own classes.
  assert train.num_classes == held_out.num_classes == 3
  for found in (train, held_out):
    for i, label in enumerate(found.labels):
      assert found.images[i][0, 0, 0] == 10 * label


def test_tiny_imagenets_held_out_images_are_listed(
  tmp_path: pathlib.Path,
) -> None:
  def write(path: pathlib.Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(path)

  for value, name in enumerate(("n01", "n02", "n03")):
    write(tmp_path / f"train/{name}/images/{name}_0.png", 10 * value)
    write(tmp_path / f"val/images/val_{value}.png", 10 * value)
  write(tmp_path / "test/images/test_0.png", 0)
  rows = [f"val_{i}.png\tn0{i + 1}\t0\t0\t3\t3\n" for i in (2, 0, 1)]
  listing = tmp_path / "val/val_annotations.txt"
  listing.write_text("".join(rows), encoding="utf-8")
  for split in ("train", "validation"):
    found = data.labelled_folder(tmp_path, split)
    # Fails if `val` or `test` becomes a class of its own.
    assert found.num_classes == 3
    for i, label in enumerate(found.labels):
      assert found.images[i][0, 0, 0] == 10 * label
  with pytest.raises(data.ImageError, match=r"test_0.png is in no class"):
    data.labelled_folder(tmp_path, "test")
  listing.write_text("val_0.png\n", encoding="utf-8")
  with pytest.raises(data.ImageError, match="'val_0.png' is not a file's name"):
    data.labelled_folder(tmp_path, "validation")


def test_tfds_labels_are_read_without_decoding(monkeypatch) -> None:
  x = RNG.integers(0, 256, (5, 4, 4, 3), np.uint8)
  calls = []

  def data_source(name, *, split, data_dir, decoders=None):
    calls.append((name, split, decoders))
    encoded = decoders is not None
    return [
      {"image": b"" if encoded else x[i], "label": i % 2} for i in range(5)
    ]

  decode = types.SimpleNamespace(SkipDecoding=lambda: "skip")
  module = types.SimpleNamespace(data_source=data_source, decode=decode)
  monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
  found = data.labelled_tfds("cifar10", split="train", num_classes=2)
  np.testing.assert_array_equal(found.images[3], x[3])
  np.testing.assert_array_equal(found.labels, [0, 1, 0, 1, 0])
  assert ("cifar10", "train", {"image": "skip"}) in calls


@pytest.mark.parametrize("shards", [1, 2])
def test_an_epoch_shows_every_example_once(shards: int) -> None:
  found = source()
  parts = [
    data.LabelledBatches(
      found, batch_size=4, seed=3, shard_index=i, shard_count=shards
    )
    for i in range(shards)
  ]
  # 5 batches of 4 are two epochs of 10.
  batches = [[next(part) for part in parts] for _ in range(5)]
  flat = [b for group in batches for b in group]
  seen = np.concatenate([ids(b) for b in flat])
  for epoch in (seen[:10], seen[10:]):
    np.testing.assert_array_equal(np.sort(epoch), np.arange(10))
  # Fails if every epoch has the same order.
  assert not np.array_equal(seen[:10], seen[10:])
  for batch in flat:
    np.testing.assert_array_equal(batch.labels, ids(batch) % NUM_CLASSES)
  # Fails if hosts do not share out the batches of one.
  alone = data.LabelledBatches(found, batch_size=4, seed=3)
  one = np.concatenate([ids(next(alone)) for _ in range(5)])
  np.testing.assert_array_equal(seen, one)


def test_batches_resume_with_their_augmentations() -> None:
  def make() -> data.LabelledBatches:
    return data.LabelledBatches(
      source(),
      batch_size=4,
      seed=0,
      augment=(data.PadCrop(2), data.flip),
      read_threads=2,
    )

  found = source()
  first = data.LabelledBatches(
    found, batch_size=4, seed=0, augment=(data.flip,)
  )
  state = [(first.get_state(), next(first)) for _ in range(4)][2]
  again = data.LabelledBatches(
    found, batch_size=4, seed=0, augment=(data.flip,)
  )
  again.set_state(state[0])
  resumed = next(again)
  np.testing.assert_array_equal(resumed.images, state[1].images)
  np.testing.assert_array_equal(resumed.labels, state[1].labels)
  assert next(make()).images.shape == (4, 6, 5, 1)


def test_crops_belong_to_the_place_of_an_example() -> None:
  # Images of many shapes; the first pixel of image i is i.
  class Mixed:
    def __len__(self) -> int:
      return 6

    def __getitem__(self, index: int) -> np.ndarray:
      image = np.arange((4 + index) * 6, dtype=np.uint8).reshape(
        4 + index, 6, 1
      )
      image[0, 0] = index
      return image

  def crop(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    left = rng.integers(4)
    window = image[1:3, left : left + 3].copy()
    window[0, 0] = image[0, 0]
    return window

  found = data.Labelled(Mixed(), np.arange(6) % 2, 2)
  options = {"batch_size": 4, "seed": 1, "crop": crop}
  alone = data.LabelledBatches(found, **options)
  batches = [next(alone) for _ in range(6)]
  # Fails if crops depend on threads, hosts, or how the batches were reached.
  threaded = data.LabelledBatches(found, read_threads=2, **options)
  threaded.set_state({"next": 4})
  np.testing.assert_array_equal(next(threaded).images, batches[4].images)
  hosts = [
    data.LabelledBatches(found, shard_index=i, shard_count=2, **options)
    for i in range(2)
  ]
  parts = np.concatenate([next(host).images for host in hosts])
  np.testing.assert_array_equal(parts, batches[0].images)
  # Fails if an example is cropped alike in every epoch.
  zeros = [b.images[ids(b) == 0] for b in batches]
  assert len({w.tobytes() for group in zeros for w in group}) > 1
  for batch in batches:
    np.testing.assert_array_equal(batch.labels, ids(batch) % 2)


def test_pad_crop_is_a_window_of_the_padded_image() -> None:
  images = RNG.integers(1, 256, (40, 5, 4, 2), np.uint8)
  crops = data.PadCrop(2)(np.random.default_rng(1), images)
  assert crops.shape == images.shape
  offsets = set()
  for image, crop in zip(images, crops, strict=True):
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
    places = [
      (i, j)
      for i in range(5)
      for j in range(5)
      if np.array_equal(padded[i : i + 5, j : j + 4], crop)
    ]
    # Fails if rows and columns are mixed up.
    assert len(places) == 1
    offsets.update(places)
  # Fails if all images of a batch move alike, or an end is never reached.
  assert len(offsets) > 10
  assert {i for i, _ in offsets} == {j for _, j in offsets} == set(range(5))
  with pytest.raises(ValueError, match="padding"):
    data.PadCrop(0)


def test_normalisation_gives_mean_zero_and_deviation_one(data_dir) -> None:
  for name in ("cifar10", "fashion_mnist"):
    found = data.labelled_npz(data_dir / name / "train.npz", num_classes=10)
    images = found.read(np.arange(2000)).images
    normal = data.NORMALIZATIONS[name](images)
    assert normal.dtype == np.float32
    # Fails if a constant is mistyped, or belongs to another data set.
    np.testing.assert_allclose(normal.mean((0, 1, 2)), 0, atol=0.04)
    np.testing.assert_allclose(normal.std((0, 1, 2)), 1, atol=0.04)
  with pytest.raises(ValueError, match="1 channels, their mean 3"):
    data.NORMALIZATIONS["cifar10"](images)


def test_balanced_batches_have_all_classes_and_fresh_examples() -> None:
  found = source(30)
  batches = data.balanced_batches(found, per_class=2, num_batches=4, seed=1)
  assert batches.images.shape == (4, 6, 6, 5, 1)
  for labels in batches.labels:
    np.testing.assert_array_equal(np.bincount(labels), [2, 2, 2])
    data.check_classes(labels)
  np.testing.assert_array_equal(ids(batches) % NUM_CLASSES, batches.labels)
  # Fails if batches are drawn with replacement: 8 of 10 of each class.
  assert len(np.unique(ids(batches))) == 24
  # More than there are: all of them before one comes again.
  many = data.balanced_batches(found, per_class=4, num_batches=5, seed=1)
  counts = np.bincount(ids(many).ravel(), minlength=30)
  np.testing.assert_array_equal(counts, 2)


def test_classes_that_are_missing() -> None:
  found = source()
  with pytest.raises(ValueError, match=r"only the class \[1\]"):
    data.check_classes(np.array([1, 1, 1]))
  only = found.subset(np.flatnonzero(found.labels == 0))
  with pytest.raises(ValueError, match=r"no example of classes \[1, 2\]"):
    data.balanced_batches(only, per_class=1, num_batches=1, seed=0)
  for wrong in ({"per_class": 0}, {"num_batches": 0}):
    settings = {"per_class": 1, "num_batches": 1} | wrong
    with pytest.raises(ValueError, match="at least 1"):
      data.balanced_batches(found, seed=0, **settings)


def test_in_order_ends_with_a_short_batch() -> None:
  batches = list(data.in_order(source(), batch_size=4))
  assert [len(b.labels) for b in batches] == [4, 4, 2]
  np.testing.assert_array_equal(
    np.concatenate([ids(b) for b in batches]), np.arange(10)
  )


@pytest.mark.parametrize(
  ("settings", "match"),
  [
    ({"batch_size": 0}, "batch_size"),
    ({"batch_size": 3, "shard_count": 2}, "multiple of the 2 hosts"),
    ({"batch_size": 4, "shard_index": 2, "shard_count": 2}, "shard_index"),
  ],
)
def test_batches_of_impossible_sizes(settings, match) -> None:
  with pytest.raises(ValueError, match=match):
    data.LabelledBatches(source(), seed=0, **settings)


def test_images_of_different_sizes_are_no_batch() -> None:
  images = [np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)]
  found = data.Labelled(images, np.array([0, 1]), 2)
  with pytest.raises(ValueError, match="one shape"):
    found.read(np.array([0, 1]))
