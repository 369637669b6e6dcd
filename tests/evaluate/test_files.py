"""A result file is whole, or is what it was before."""

import pytest

from inrjax.evaluate import files


def test_success_replaces_the_file(tmp_path):
  path = tmp_path / "folder" / "x.txt"
  for text in ("one", "two"):
    with files.replacing(path) as temporary:
      assert temporary.suffix == ".txt"
      temporary.write_text(text)
    assert path.read_text() == text
  assert list(path.parent.iterdir()) == [path]


def test_failure_leaves_what_was_there_and_nothing_else(tmp_path):
  path = tmp_path / "x.txt"
  path.write_text("before")
  with pytest.raises(RuntimeError), files.replacing(path) as temporary:
    temporary.write_text("half")
    raise RuntimeError("disk full")
  # fails if the target is written in place or the remains are kept
  assert path.read_text() == "before"
  assert list(tmp_path.iterdir()) == [path]
