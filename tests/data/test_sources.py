"""Sources give the right image for each index and survive broken files."""

import sys
import types

import numpy as np
import pytest
from PIL import Image

from inrjax import data
from inrjax.data import sources

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
  """Five images of different sizes; returns the folder and the arrays."""
  arrays = []
  for i in range(5):
    arrays.append(RNG.integers(0, 256, (16 + i, 20, 3), np.uint8))
    Image.fromarray(arrays[-1]).save(tmp_path / f"{i}.png")
  return tmp_path, arrays


def test_folder_gives_each_image_at_its_index(folder):
  root, arrays = folder
  source = data.ImageFolder(root)
  assert len(source) == 5
  for i, array in enumerate(arrays):
    np.testing.assert_array_equal(source[i], array)
  assert data.ImageFolder(root, channels=1)[2].shape == (18, 20, 1)
  # A sequence ends by IndexError, else iteration would not.
  assert len(list(source)) == 5
  with pytest.raises(IndexError):
    source[-1]


def test_one_unreadable_file_among_many_is_named_once_and_counted(folder):
  root, arrays = folder
  (root / "2.png").write_text("not an image")
  with pytest.warns(data.UnreadableImageWarning, match="2.png") as caught:
    source = data.ImageFolder(root)
  assert len(caught) == 1
  assert [p.name for p in source.unreadable] == ["2.png"]
  # fails if the broken file keeps a place.
  assert len(source) == 4
  np.testing.assert_array_equal(source[2], arrays[3])


def test_file_broken_inside_is_replaced_by_the_next(folder):
  root, arrays = folder
  whole = (root / "4.png").read_bytes()
  (root / "4.png").write_bytes(whole[: len(whole) // 2])
  source = data.ImageFolder(root)
  with pytest.warns(data.UnreadableImageWarning, match="4.png.*1 unreadable"):
    image = source[4]
  # fails if the half that decodes is used, or indices move.
  np.testing.assert_array_equal(image, arrays[0])
  np.testing.assert_array_equal(source[3], arrays[3])
  # fails if it warns again (warnings are errors here), or is tried again: a
  # file mended during a run must not change what its index gives.
  (root / "4.png").write_bytes(whole)
  np.testing.assert_array_equal(source[4], arrays[0])


def test_error_only_when_no_file_is_readable(folder):
  root, _ = folder
  for path in root.iterdir():
    path.write_text("not an image")
  with (
    pytest.warns(data.UnreadableImageWarning) as caught,
    pytest.raises(data.ImageError, match="None of 5"),
  ):
    data.ImageFolder(root)
  assert len(caught) == 5


def test_error_when_all_files_turn_out_broken(folder):
  root, _ = folder
  for path in root.iterdir():
    path.write_bytes(path.read_bytes()[:200])
  source = data.ImageFolder(root)
  with (
    pytest.warns(data.UnreadableImageWarning) as caught,
    pytest.raises(data.ImageError, match="None of 5"),
  ):
    source[0]
  assert len(caught) == 5


def test_folder_without_images_says_what_it_expects(tmp_path):
  (tmp_path / "notes.txt").touch()
  with pytest.raises(data.ImageError, match=r"\.png"):
    data.ImageFolder(tmp_path)


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 3, 2, 1), (4, 3, 2, 3)])
def test_array_source(shape):
  array = RNG.integers(0, 256, shape, np.uint8)
  source = data.ArraySource(array)
  assert len(source) == 4
  np.testing.assert_array_equal(source[3], array[3].reshape(3, 2, -1))


@pytest.mark.parametrize(
  "array",
  [
    np.zeros((2, 3, 3), np.float32),
    np.zeros((2, 3, 3, 4), np.uint8),
    np.zeros((3, 3), np.uint8),
    np.zeros((0, 3, 3), np.uint8),
    np.zeros((2, 0, 3, 3), np.uint8),
  ],
)
def test_array_source_refuses_what_is_no_8_bit_images(array):
  with pytest.raises(ValueError, match="uint8|shape"):
    data.ArraySource(array)


def test_npz(tmp_path):
  array = RNG.integers(0, 256, (4, 3, 2, 3), np.uint8)
  np.savez(tmp_path / "a.npz", x=array, y=np.zeros(4))
  np.testing.assert_array_equal(
    data.from_npz(tmp_path / "a.npz", "x")[1], array[1]
  )
  with pytest.raises(data.ImageError, match="'z'.*'x'"):
    data.from_npz(tmp_path / "a.npz", "z")
  with pytest.raises(data.ImageError, match="nowhere"):
    data.from_npz(tmp_path / "nowhere.npz", "x")
  (tmp_path / "broken.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:100])
  with pytest.raises(data.ImageError, match="broken"):
    data.from_npz(tmp_path / "broken.npz", "x")


def test_npz_never_unpickles(tmp_path):
  np.savez(tmp_path / "a.npz", x=np.array([{"a": 1}], object))
  # fails if allow_pickle is set.
  with pytest.raises(data.ImageError):
    data.from_npz(tmp_path / "a.npz", "x")


def test_cifar10_of_the_data_pack(data_dir):
  path = data_dir / "cifar10" / "test.npz"
  if not path.is_file():
    pytest.skip(f"{path} is not there.")
  source = data.from_npz(path, "x")
  assert len(source) == 500 and source[0].shape == (32, 32, 3)


def fake_tfds(monkeypatch, examples):
  calls = []

  def data_source(name, *, split, data_dir):
    calls.append((name, split, data_dir))
    return examples

  module = types.ModuleType("tensorflow_datasets")
  module.data_source = data_source
  monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
  return calls


def test_tfds_source_gives_the_image_feature(monkeypatch, tmp_path):
  array = RNG.integers(0, 256, (3, 4, 5, 3), np.uint8)
  calls = fake_tfds(monkeypatch, [{"image": a, "label": 0} for a in array])
  source = data.tfds_source("cifar10", split="train", data_dir=tmp_path)
  assert calls == [("cifar10", "train", str(tmp_path))]
  assert len(source) == 3
  np.testing.assert_array_equal(source[2], array[2])


def test_tfds_source_names_a_feature_that_is_missing_or_unfit(monkeypatch):
  fake_tfds(monkeypatch, [{"image": np.zeros((2, 2, 3), np.float32)}])
  with pytest.raises(ValueError, match="'hr'.*'image'"):
    data.tfds_source("a", split="train", feature="hr")[0]
  with pytest.raises(ValueError, match="float32"):
    data.tfds_source("a", split="train")[0]
  for shape in [(2, 2, 4), (0, 2, 3), (1, 2, 2, 3)]:
    fake_tfds(monkeypatch, [{"image": np.zeros(shape, np.uint8)}])
    with pytest.raises(ValueError, match=str(shape[0])):
      data.tfds_source("a", split="train")[0]


def test_feature_source_gives_grey_a_channel():
  source = data.FeatureSource([{"x": np.ones((2, 3), np.uint8)}], feature="x")
  assert source[0].shape == (2, 3, 1)


def test_tfds_missing_names_the_remedy(monkeypatch):
  monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
  with pytest.raises(ImportError, match=r"inrjax\[tfds\]"):
    data.tfds_source("cifar10", split="train")


class Counting:
  """Counts how often each image is asked for."""

  def __init__(self, array):
    self.array = array
    self.calls = [0] * len(array)

  def __len__(self):
    return len(self.array)

  def __getitem__(self, index):
    self.calls[index] += 1
    return self.array[index]


def test_cache_keeps_to_its_budget():
  array = RNG.integers(0, 256, (4, 5, 5, 3), np.uint8)
  source = Counting(array)
  cached = sources.CachedSource(source, max_bytes=2 * 75 + 74)
  for _ in range(3):
    for i in range(4):
      np.testing.assert_array_equal(cached[i], array[i])
  # fails if the budget is ignored (all 1) or nothing is kept (all 3).
  assert source.calls == [1, 1, 3, 3]
  with pytest.raises(ValueError, match="-1"):
    sources.CachedSource(source, max_bytes=-1)
