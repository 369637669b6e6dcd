"""Splits of folders: complete, disjoint, and as the folder says."""

import numpy as np
import pytest
from PIL import Image

from inrjax import data

SPLITS = ("train", "validation", "test")


def fill(root, names):
  for name in names:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(path)


def names(root, split, **settings):
  paths = data.split_files(root, split, **settings)
  return [path.relative_to(root).as_posix() for path in paths]


def test_every_tenth_file_in_the_order_of_names(tmp_path):
  files = [f"{i:02}.png" for i in range(23)]
  fill(tmp_path, reversed(files))
  assert names(tmp_path, "test") == ["00.png", "10.png", "20.png"]
  assert names(tmp_path, "validation") == ["01.png", "11.png", "21.png"]
  # Fails if a file is in two splits or in none.
  assert sorted(sum((names(tmp_path, s) for s in SPLITS), [])) == files


def test_a_persons_pictures_stay_together(tmp_path):
  files = [f"{person}/{i}.pgm" for person in "abcd" for i in range(12)]
  fill(tmp_path, files)
  held_out = names(tmp_path, "test", unit="folder")
  assert held_out == [f for f in sorted(files) if f.startswith("a/")]
  assert {f[0] for f in names(tmp_path, "validation", unit="folder")} == {"b"}
  assert {f[0] for f in names(tmp_path, "train", unit="folder")} == {"c", "d"}


def test_folders_named_for_splits_are_taken_at_their_word(tmp_path):
  fill(tmp_path, ["train/n1/a.png", "train/n2/b.JPEG", "val/n1/c.png"])
  assert names(tmp_path, "train") == ["train/n1/a.png", "train/n2/b.JPEG"]
  # One held-out folder serves for both.
  assert names(tmp_path, "validation") == ["val/n1/c.png"]
  assert names(tmp_path, "test") == ["val/n1/c.png"]
  fill(tmp_path, ["test/n1/d.png"])
  assert names(tmp_path, "validation") == ["val/n1/c.png"]
  assert names(tmp_path, "test") == ["test/n1/d.png"]


def test_a_training_folder_alone_is_an_error(tmp_path):
  fill(tmp_path, ["train/a.png"])
  with pytest.raises(data.ImageError, match="nothing held out.*test.*beside"):
    data.split_files(tmp_path, "test")


def test_an_empty_class_folder_is_named_once(tmp_path):
  fill(tmp_path, ["train/cat/a.png", "val/cat/b.png"])
  (tmp_path / "train" / "dog" / "inside").mkdir(parents=True)
  (tmp_path / "train" / "dog" / "notes.txt").write_text("nothing")
  (tmp_path / "train" / ".cache").mkdir()
  with pytest.warns(
    data.EmptyFolderWarning, match=r"in 1 folder\(s\).*: dog\. "
  ) as caught:
    assert names(tmp_path, "train") == ["train/cat/a.png"]
  assert len(caught) == 1
  # The line to look at is the caller's.
  assert caught[0].filename == __file__
  # Fails if the other split's folder is looked at.
  assert names(tmp_path, "test") == ["val/cat/b.png"]


def test_many_empty_folders_are_counted(tmp_path):
  fill(tmp_path, [f"{i}.png" for i in range(3)])
  for i in range(8):
    (tmp_path / f"class{i}").mkdir()
  with pytest.warns(
    data.EmptyFolderWarning, match="in 8 .*class4, 3 more. Going on"
  ):
    data.split_files(tmp_path, "train")


def test_no_image_and_too_few_are_errors(tmp_path):
  with pytest.raises(data.ImageError, match="No image below"):
    data.split_files(tmp_path, "train")
  with pytest.raises(data.ImageError, match="is not a folder"):
    data.split_files(tmp_path / "missing", "train")
  fill(tmp_path, ["a/0.png", "a/1.png"])
  with pytest.raises(data.ImageError, match=r"in 2 file\(s\), too few"):
    data.split_files(tmp_path, "train")
  fill(tmp_path, ["a/2.png"])
  assert names(tmp_path, "train") == ["a/2.png"]
  with pytest.raises(data.ImageError, match=r"in 1 folder\(s\), too few"):
    data.split_files(tmp_path, "train", unit="folder")


def test_a_list_decides_alone(tmp_path):
  fill(tmp_path, [f"img/{i}.png" for i in range(5)])
  (tmp_path / "list.txt").write_text("4.png 0\n3.png 1\n\n0.png 2\n1.png 0\n")
  settings = {"listing": "list.txt"}
  assert names(tmp_path, "train", **settings) == ["img/1.png", "img/4.png"]
  assert names(tmp_path, "validation", **settings) == ["img/3.png"]
  assert names(tmp_path, "test", **settings) == ["img/0.png"]
  # A list that is not there is no error: the folder may be any.
  assert len(names(tmp_path, "train", listing="other.txt")) == 3


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (b"0.png 3\n", "'0.png 3' is not a file's name"),
    (b"0.png\n", "'0.png' is not a file's name"),
    (b"\xff\xfe\n", "Cannot read"),
    (b"7.png 0\n", "None of the 1 files.*for train"),
  ],
)
def test_a_bad_list_is_named(tmp_path, content, message):
  fill(tmp_path, ["0.png"])
  (tmp_path / "list.txt").write_bytes(content)
  with pytest.raises(data.ImageError, match=message):
    data.split_files(tmp_path, "train", listing="list.txt")


def test_unknown_words_are_named(tmp_path):
  with pytest.raises(ValueError, match="split must be one of.*'val'"):
    data.split_files(tmp_path, "val")
  with pytest.raises(ValueError, match="unit must be one of.*'class'"):
    data.split_files(tmp_path, "train", unit="class")
