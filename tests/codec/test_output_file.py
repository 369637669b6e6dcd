"""Files and folders appear whole or not at all."""

import errno
import os

import pytest

from inrjax.codec import errors, output_file


def full(*_):
  raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_takes_the_place_of_another(tmp_path):
  path = tmp_path / "a"
  path.write_bytes(b"old")
  output_file.check_file(path)
  assert path.read_bytes() == b"old"  # fails if checking opens it
  output_file.write_atomically(path, b"new")
  assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["a"]


def test_a_folder_is_made_or_filled(tmp_path):
  files = {"a": b"1", "b": b"2"}
  for name in ("new", "empty"):
    if name == "empty":
      (tmp_path / name).mkdir()
    output_file.check_folder(tmp_path / name)
    output_file.write_folder_atomically(tmp_path / name, files)
    found = {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()}
    assert found == files
  assert sorted(os.listdir(tmp_path)) == ["empty", "new"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
  (tmp_path / "x").write_bytes(b"mine")
  for path in (tmp_path, tmp_path / "x"):
    for call in (
      output_file.check_folder,
      lambda p: output_file.write_folder_atomically(p, {"x": b"yours"}),
    ):
      with pytest.raises(errors.OutputFileError):
        call(path)
  # fails if files are put beside what is there, or over it.
  assert (tmp_path / "x").read_bytes() == b"mine"
  assert os.listdir(tmp_path) == ["x"]


def test_checks_find_what_writing_would(tmp_path):
  for path in (tmp_path, tmp_path / "no" / "a", "/dev/null", "/proc/a"):
    # fails if a check passes where the costly work would be lost.
    for call in (
      output_file.check_file,
      lambda p: output_file.write_atomically(p, b""),
    ):
      with pytest.raises(errors.OutputFileError):
        call(path)
  for path in (tmp_path / "no" / "a", "/proc/a"):
    with pytest.raises(errors.OutputFileError):
      output_file.check_folder(path)
  assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
  monkeypatch.setattr(os, "fsync", full)
  # fails if the temporary file or folder stays behind.
  with pytest.raises(errors.OutputFileError, match="No space"):
    output_file.write_atomically(tmp_path / "a", b"1")
  with pytest.raises(errors.OutputFileError, match="No space"):
    output_file.write_folder_atomically(tmp_path / "b", {"a": b"1"})
  assert os.listdir(tmp_path) == []


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
  def interrupt(_):
    raise KeyboardInterrupt

  monkeypatch.setattr(os, "fsync", interrupt)
  with pytest.raises(KeyboardInterrupt):
    output_file.write_atomically(tmp_path / "a", b"1")
  with pytest.raises(KeyboardInterrupt):
    output_file.write_folder_atomically(tmp_path / "b", {"a": b"1"})
  assert os.listdir(tmp_path) == []
