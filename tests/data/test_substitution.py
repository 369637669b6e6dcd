"""Files of a split stand in for one another, and for no other's."""

import pathlib

import grain
import numpy as np
import pytest

from inrjax.data import binvox, substitution, voxels
from tests.data import test_binvox


class OddError(ValueError):
  """A file of an odd number."""


class OddWarning(UserWarning):
  """An odd file is left out."""


class Numbers(substitution.SubstitutingFiles):
  """Files whose names are numbers, of which those in `broken` are broken."""

  ERROR, WARNING, WHAT = OddError, OddWarning, "numbers"

  def __init__(self, count, broken):
    super().__init__()
    self._paths = [pathlib.Path(str(i)) for i in range(count)]
    self._broken = {str(i) for i in broken}

  def _read(self, path):
    if path.name in self._broken:
      raise OddError(f"{path.name} is broken.")
    return np.array([int(path.name)])


def test_a_part_is_made_up_of_itself():
  files = Numbers(6, broken=(2, 5))
  train, test = files.part([0, 2, 3]), files.part([4, 5])
  with pytest.warns(OddWarning, match="2 is broken"):
    found = [int(train[i][0]) for i in range(3)]
  # Fails if a file of the other part is what follows.
  assert found == [0, 3, 3]
  with pytest.warns(OddWarning, match="5 is broken.*2 unreadable"):
    assert test[1] == [4]
  assert [path.name for path in test.paths] == ["4", "5"]
  # What one has found, the whole need not find again.
  assert [int(files[i][0]) for i in range(6)] == [0, 1, 3, 3, 4, 0]
  assert list(grain.MapDataset.source(train)) == [[0], [3], [3]]


def test_a_part_of_broken_files_alone_has_nothing():
  part = Numbers(3, broken=(1,)).part([1])
  with (
    pytest.warns(OddWarning),
    pytest.raises(OddError, match="None of 1 numbers"),
  ):
    part[0]
  with pytest.raises(IndexError, match="Index 1 of 1"):
    part[1]
  for wrong in ([], [3], [-1]):
    with pytest.raises(ValueError, match="indices must"):
      Numbers(3, broken=()).part(wrong)


def test_variants_of_grids_are_those_of_their_index(tmp_path):
  box = test_binvox.BOX
  for name in "abc":
    path = tmp_path / "02" / name / "model.solid.binvox"
    test_binvox.write(path, box if name != "b" else np.zeros_like(box))
  files = binvox.BinvoxFolder(tmp_path, side=8, num_variants=2)
  part = files.part([2, 5])
  # Fails if a variant depends on its place in the part.
  np.testing.assert_array_equal(part[1], files[5])
  with pytest.warns(voxels.UnreadableVoxelsWarning, match="b.*is empty"):
    np.testing.assert_array_equal(part[0], files[4])
